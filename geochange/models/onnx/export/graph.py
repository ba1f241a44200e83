"""ChangeCLIP with its prompts as one module of two pictures, as it is exported."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from geochange.errors import InputError
from geochange.models.changeclip.layers import band_tensor
from geochange.models.changeclip.network import ChangeClip
from geochange.models.clip_scorer import ClipScorer
from geochange.models.detector import ChangeClipDetector
from geochange.models.onnx.export.attention import plain
from geochange.models.onnx.export.prompt_graph import NamePrompter
from geochange.models.onnx.export.resample import squared
from geochange.models.prompts import BACKGROUND, foreground_tokens, tokenise
from geochange.models.weights.openclip import MEAN, STD

Told = torch.Tensor | tuple[torch.Tensor, ...]
"""The logits of change alone, or with those of what stands there before and after."""


class ScoringGraph(nn.Module):
    """The scorer of class names for pictures of any size."""

    def __init__(self, scorer: ClipScorer) -> None:
        super().__init__()
        self.scorer = scorer

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) RGB in 0-255 -> (B, V) logits, whose order is that of probabilities."""
        scorer = self.scorer
        mean, std = (band_tensor(numbers, pictures.device) for numbers in (MEAN, STD))
        x = (squared(pictures, scorer.size) / 255 - mean) / std
        seen = F.normalize(scorer.visual(x), dim=1)
        told: torch.Tensor = scorer.scale * seen @ scorer.classes.T
        return told


class ChangeClipGraph(nn.Module):
    """Two pictures -> (B, 1, H, W) logits of change, divided by the temperature.

    With a land head (B, C, H, W) logits of what stands there before and after follow. Prompts are as
    those of the detector: chosen for each picture by its CLIP, or fixed. A land network that stands
    beside the network is left out.
    """

    def __init__(self, detector: ChangeClipDetector) -> None:
        super().__init__()
        network = plain(detector.network)
        assert isinstance(network, ChangeClip)
        self.network = network
        self.temperature = detector.card.temperature
        self.mode = detector.prompts
        places = detector.card.options.text.places
        self.scorer: ScoringGraph | None = None
        with torch.no_grad():
            rows = [tokenise(BACKGROUND, places)]
            rows += [foreground_tokens(names, places) for names in detector.fixed]
            self.register_buffer("texts", network.encode_texts(torch.tensor(rows)))
        if self.mode == "fixed":
            return
        if detector.scorer is None:
            raise InputError("has no CLIP to choose class names by; export with --prompts fixed")
        scorer = plain(detector.scorer)
        assert isinstance(scorer, ClipScorer)
        self.scorer = ScoringGraph(scorer)
        self.prompter = NamePrompter(detector.vocabulary, places)

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> Told:
        """(B, 3, H, W) RGB in 0-255, H and W multiples of 32."""
        one, two = self._texts(before, after)
        answer = self.network.answer(before, after, one, two)
        change = (answer.change[:, 1:] - answer.change[:, :1]) / self.temperature
        return (change, *answer.land) if answer.land else change

    def _texts(
        self, before: torch.Tensor, after: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 2, C) for each date."""
        count = before.shape[0]
        background = self.get_buffer("texts")[:1].expand(count, -1)
        if self.scorer is None:
            told = [self.get_buffer("texts")[i : i + 1].expand(count, -1) for i in (1, 2)]
        elif self.mode == "published":
            told = [self._named(before)] * 2
        else:
            # Both dates at once: the graph then holds scorer and text tower once.
            both = self._named(torch.cat([before, after]))
            told = [both[:count], both[count:]]
        one, two = (torch.stack([background, text], dim=1) for text in told)
        return one, two

    def _named(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, C) embeddings of the nine best names of each picture."""
        assert self.scorer is not None
        tokens = self.prompter(self.scorer(pictures))
        contexts, places = self.network.contexts2[0, 0], self.prompter.places
        encoded: torch.Tensor = self.network.text_encoder(tokens, contexts, places)
        return encoded


class StackedGraph(nn.Module):
    """The same for pictures in 0-1, stacked in one input: (B, 6, H, W) -> (B, 1, H, W) probability."""

    def __init__(self, graph: ChangeClipGraph) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, both: torch.Tensor) -> torch.Tensor:
        """Before first."""
        before, after = both[:, :3] * 255, both[:, 3:] * 255
        told: Told = self.graph(before, after)
        return torch.sigmoid(told[0] if isinstance(told, tuple) else told)
