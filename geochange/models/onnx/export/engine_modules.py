"""What each graph of a shipped network computes, as modules with positional inputs."""

from __future__ import annotations

import torch
from torch import nn

from geochange.models.changeclip.network import ChangeClip
from geochange.models.clip_scorer import ClipScorer
from geochange.models.detector import ChangeClipDetector
from geochange.models.onnx.export.attention import plain
from geochange.models.onnx.export.graph import ScoringGraph
from geochange.models.onnx.export.resample import squared


class Scores(nn.Module):
    """(1, 3, H, W) RGB in 0-255 -> (1, V) probabilities of the class names."""

    def __init__(self, detector: ChangeClipDetector) -> None:
        super().__init__()
        assert detector.scorer is not None  # a shipped network has its own CLIP
        scorer = plain(detector.scorer)
        assert isinstance(scorer, ClipScorer)
        self.scoring = ScoringGraph(scorer)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """See above."""
        scores: torch.Tensor = self.scoring(pictures).softmax(dim=1)
        return scores


class Texts(nn.Module):
    """(1, places) tokens -> (1, C) embedding."""

    def __init__(self, detector: ChangeClipDetector) -> None:
        super().__init__()
        network = plain(detector.network)
        assert isinstance(network, ChangeClip)
        self.network = network

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """See above."""
        network = self.network
        told: torch.Tensor = network.text_encoder(tokens, network.contexts2[0, 0], tokens.shape[1])
        return told


class Change(nn.Module):
    """Two pictures and (1, 2, C) texts of each -> (1, H, W) logits of change."""

    def __init__(self, detector: ChangeClipDetector) -> None:
        super().__init__()
        network = plain(detector.network)
        assert isinstance(network, ChangeClip)
        self.network = network

    def forward(
        self, before: torch.Tensor, after: torch.Tensor, one: torch.Tensor, two: torch.Tensor
    ) -> torch.Tensor:
        """See above."""
        change = self.network.answer(before, after, one, two).change
        return change[:, 1] - change[:, 0]


class Land(nn.Module):
    """Two pictures -> (2, H, W) uint8 numbers of land classes, before and after."""

    def __init__(self, detector: ChangeClipDetector) -> None:
        super().__init__()
        assert detector.land_inference is not None  # a shipped network has a land network
        self.network = detector.land_inference.network

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """See above."""
        land: torch.Tensor = self.network(torch.cat([before, after]))
        return land.argmax(dim=1).to(torch.uint8)


class Opinion(Land):
    """Two pictures and (1, H, W) logits of change -> (2, K, H, W) logits of land, and of change."""

    def forward(  # type: ignore[override]
        self, before: torch.Tensor, after: torch.Tensor, change: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See above."""
        land, said = self.network.predict(before, after, change)
        return torch.cat(land), said


class Places(nn.Module):
    """(1, 3, H, W) RGB in 0-255 -> (1, V) probabilities of the class names for the place."""

    def __init__(self, detector: ChangeClipDetector) -> None:
        super().__init__()
        assert detector.place_scorer is not None  # asked of networks that have a place head
        self.scorer = detector.place_scorer

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """See above."""
        return self.scorer.of_squares(squared(picture, self.scorer.options.side))


MODULES = {
    "scores": Scores,
    "texts": Texts,
    "change": Change,
    "land": Land,
    "opinion": Opinion,
    "places": Places,
}
