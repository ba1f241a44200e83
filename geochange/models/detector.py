"""ChangeCLIP as a ChangeModel: the network with its prompts and caches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.errors import InputError, OptionError
from geochange.land_cover import LIKELY_CHANGE
from geochange.models.bands.rgb_bands import shown_batch
from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.changeclip.network import Answer, ChangeClip, concatenate_answers, pad
from geochange.models.clip_scorer import ClipScorer
from geochange.models.confidence import ConfidenceRule
from geochange.models.detector_scorers import build_clip_scorer, place_scorer
from geochange.models.inference.batch import Batch, check_pixels
from geochange.models.inference.precision import Precision, choose_dtype
from geochange.models.land_cover_logits import LandLogits, class_numbers, mask_to_classes
from geochange.models.prompts import (
    FIXED_NAMES,
    Names,
    PromptCache,
    PromptMode,
    best_names,
)
from geochange.models.protocol import ALWAYS_NAME, NamingRule, Statistics
from geochange.models.sparse_land_cover import SparseLandInference
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint
from geochange.models.weights.model_card import OWN_CLIP, Card

Scores = tuple[torch.Tensor, torch.Tensor]
"""Class probabilities (B, V) of the date before and of the date after."""

BothNames = tuple[Sequence[Names], Sequence[Names]]
"""The class names of each chip at the date before and at the date after."""


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What a worker needs to build a detector. It is picklable, a detector is not.

    model: a checkpoint file. clip: see `read_clip`; None uses the checkpoint's own CLIP, or else the
    default. vocabulary, prompts: None uses those of the checkpoint. fixed: the names of both dates for
    `fixed` prompts. precision: `auto` uses bfloat16 where it is faster. compiled: use torch.compile.
    cache: the number of cached texts. only: land classes; if given, a pixel is change only if one of
    them covers it at either date. likely: see SparseLandInference.
    """

    model: str
    device: str = "cpu"
    precision: Precision = "auto"
    clip: str | None = None
    vocabulary: Names | None = None
    prompts: PromptMode | None = None
    fixed: tuple[Names, Names] = (FIXED_NAMES, FIXED_NAMES)
    compiled: bool = False
    cache: int = 4096
    only: Names = ()
    likely: float = LIKELY_CHANGE

    def build(self) -> ChangeClipDetector:
        """Read checkpoint and CLIP, and put all of it on the device. Raises InputError."""
        return self.of(read_checkpoint(self.model))

    def of(self, checkpoint: Checkpoint) -> ChangeClipDetector:
        """The same of a checkpoint that is read."""
        scorer = build_clip_scorer(self, checkpoint)
        network = checkpoint.build().requires_grad_(False)
        return ChangeClipDetector(self, network, checkpoint.card, scorer, checkpoint.build_land())


class ChangeClipDetector:
    """A ChangeModel for 8-bit RGB, or for the bands of its card.

    The logit is class 1 minus class 0 of the network, divided by the temperature of the card.

    A CPU processes chips one at a time: this costs nothing there, and a chip's result does not depend
    on its batch, to the last bit. A GPU processes a batch at once, and rounding depends on its size.
    """

    def __init__(
        self,
        spec: DetectorSpec,
        network: ChangeClip,
        card: Card,
        scorer: ClipScorer | None = None,
        land: LandNetwork | None = None,
    ) -> None:
        self.device = torch.device(spec.device)
        self.threshold = card.threshold
        self.bands: int | None = card.options.inputs
        self.card = card
        self.prompts: PromptMode = spec.prompts or card.prompts
        self.vocabulary: Names = spec.vocabulary or card.vocabulary
        self.fixed = spec.fixed
        self.dtype = choose_dtype(spec.precision, self.device)
        self.network = network
        self.scorer = scorer
        self._other_clip = spec.clip is not None
        self.land_inference = None if land is None else SparseLandInference(land, spec.likely)
        self.place_scorer = place_scorer(spec, scorer, land)
        self._likely = spec.likely
        self._only = [self.land_classes.index(name) for name in spec.only]
        self._set_up(spec)

    def _set_up(self, spec: DetectorSpec) -> None:
        land = self.land_inference.network if self.land_inference else None
        for module in (self.network, self.scorer, land):
            if module is not None and self.dtype == torch.bfloat16:
                module.lower()
            if module is not None:
                module.to(self.device).to(memory_format=torch.channels_last)
        if self.place_scorer is not None:
            self.place_scorer.to(self.device)
        answer: Callable[..., Answer] = self.network.answer
        self._answer = torch.compile(answer) if spec.compiled else answer
        self._alone = self.device.type == "cpu"
        places = self.card.options.text.places
        self._cache = PromptCache(
            self.network.encode_texts, places, spec.cache, together=not self._alone
        )

    @property
    def classes(self) -> Names:
        """The names that `class_scores` scores; empty with fixed prompts."""
        return () if self.prompts == "fixed" else self.vocabulary

    @property
    def naming(self) -> NamingRule:
        """The rule of the card for its own CLIP. With another CLIP, a name is always assigned."""
        if self.card.clip != OWN_CLIP or self._other_clip:
            return ALWAYS_NAME
        own = self.card if self.place_scorer is None else self.place_scorer.options
        return NamingRule(self.card.meanings, own.least_score)

    @property
    def confidence(self) -> ConfidenceRule | None:
        """The rule of the card, for all changes or for some classes."""
        rule = self.card.confidence
        return rule.of_classes() if rule and self._only else rule

    @property
    def land_classes(self) -> Names:
        """The classes of the land head or network; empty without one."""
        land = self.land_inference or self.card.options.land
        return () if land is None else land.classes

    @property
    def class_colours(self) -> dict[str, str]:
        """Those of the card by class; empty where it has none."""
        return dict(self.card.land_classes.by_name)

    def fit(self, sample: Sequence[Chip]) -> Statistics:
        """Empty: the network needs no statistics."""
        return {}

    def adopt(self, statistics: Statistics) -> None:
        """Does nothing."""

    @torch.inference_mode()
    def class_scores(self, batch: Batch) -> Scores:
        """(B, V) probabilities of `classes` at both dates; V is 0 with fixed prompts."""
        check_pixels(batch, self.card.options.bands)
        if self.prompts == "fixed":
            empty = torch.zeros(len(batch), 0, device=self.device)
            return empty, empty
        if self.scorer is None:
            raise OptionError("this model was loaded without CLIP, but prompts per chip need it")
        shown = shown_batch(batch, self.card.options.bands)
        parts = [self.scorer(torch.cat(pair)).chunk(2) for pair in self._passes(shown)]
        before, after = zip(*parts, strict=True)
        return torch.cat(before), torch.cat(after)

    @property
    def scores_places(self) -> bool:
        """Whether places are named by `place_scores`, not by `class_scores`."""
        return self.place_scorer is not None

    @torch.inference_mode()
    def place_scores(self, batch: Batch, change: torch.Tensor) -> Scores:
        """(B, V) probabilities of `classes` at both dates; NaN for chips without likely change.

        change: (B, H, W) logits of these chips.
        """
        if self.place_scorer is None:
            raise ValueError("this network has no place head")
        dates = batch.before, batch.after
        return self.place_scorer.likely(dates, change, batch.valid, self._likely)

    @torch.inference_mode()
    def change_logits(self, batch: Batch, scores: Scores | None = None) -> torch.Tensor:
        """(B, H, W) float32. scores: from `class_scores`; None computes them here."""
        check_pixels(batch, self.card.options.bands)
        return self.named_logits(batch, self.names(batch, scores))

    @torch.inference_mode()
    def named_logits(self, batch: Batch, names: BothNames) -> torch.Tensor:
        """(B, H, W) float32, with given class names for each chip at both dates."""
        check_pixels(batch, self.card.options.bands)
        return self._change_of_answer(batch, self._answers(batch, *names))[0]

    @torch.inference_mode()
    def change_and_land(
        self, batch: Batch, scores: Scores | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, H, W) float32 logits of change, and (B, 2, H, W) uint8 numbers of what stands there.

        scores: see `change_logits`. NO_LAND_CLASS where a land network did not look.
        """
        check_pixels(batch, self.card.options.bands)
        return self.named_change_and_land(batch, self.names(batch, scores))

    @torch.inference_mode()
    def named_change_and_land(
        self, batch: Batch, names: BothNames
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `change_and_land`, with given class names for each chip at both dates."""
        check_pixels(batch, self.card.options.bands)
        logits, land = self._change_of_answer(batch, self._answers(batch, *names), True)
        return logits, class_numbers(land)

    @torch.inference_mode()
    def land(self, batch: Batch) -> torch.Tensor:
        """(B, 2, H, W) uint8, what stands there by number, whether change is likely or not."""
        alone = self.land_inference and self.land_inference.classify_all(batch)
        return class_numbers(alone) if alone else self.change_and_land(batch)[1]

    def _change_of_answer(
        self, batch: Batch, answer: Answer, seen: bool = False
    ) -> tuple[torch.Tensor, LandLogits | None]:
        """The logits of change, where what was asked for stands or stood; land, if `seen`."""
        logits, land = answer.change[:, 1] - answer.change[:, 0], answer.land
        if self.land_inference is not None and (seen or self._only):
            # Its opinion counts where what it sees is asked for; far away it is worth little.
            logits, land = self.land_inference.predict(batch, logits, opinion=bool(self._only))
        logits = logits / self.card.temperature
        if not self._only or land is None:
            return logits, land
        return mask_to_classes(logits, land, self._only), land

    def names(self, batch: Batch, scores: Scores | None = None) -> BothNames:
        """The class names of each chip at both dates, according to the prompt mode."""
        if self.prompts == "fixed":
            return [self.fixed[0]] * len(batch), [self.fixed[1]] * len(batch)
        scores = self.class_scores(batch) if scores is None else scores
        before = best_names(scores[0], self.vocabulary)
        if self.prompts == "published":
            return before, before
        return before, best_names(scores[1], self.vocabulary)

    @torch.inference_mode()
    def logits(
        self,
        before: NDArray[np.uint8],
        after: NDArray[np.uint8],
        names_before: Sequence[Sequence[str]],
        names_after: Sequence[Sequence[str]],
    ) -> NDArray[np.float32]:
        """(B, H, W, 3) uint8 RGB of both dates and class names per chip -> (B, 2, H, W) float32."""
        one, two = (
            torch.from_numpy(np.ascontiguousarray(date)).to(self.device).permute(0, 3, 1, 2)
            for date in (before, after)
        )
        batch = Batch(one, two, torch.ones_like(one[:, 0], dtype=torch.bool))
        check_pixels(batch, self.card.options.bands)
        if not len(batch) == len(two) == len(names_before) == len(names_after):
            raise InputError("both dates need the same number of pictures and of lists of names")
        names = ([tuple(n) for n in date] for date in (names_before, names_after))
        return np.asarray(self._answers(batch, *names).change.cpu().numpy(), dtype=np.float32)

    def _passes(self, batch: Batch) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Both dates' images: chip by chip on a CPU, else all at once."""
        step = 1 if self._alone else max(1, len(batch))
        return list(zip(batch.before.split(step), batch.after.split(step), strict=True))

    def _answers(
        self, batch: Batch, names_before: Sequence[Names], names_after: Sequence[Names]
    ) -> Answer:
        # One call for both dates, so that all texts missing from the cache are encoded together.
        texts = self._cache.texts([*names_before, *names_after], self.device)
        start, parts = 0, []
        for before, after in self._passes(batch):
            end = start + len(before)
            one, two = texts[start:end], texts[len(batch) + start : len(batch) + end]
            parts.append(self._pass(before, after, one, two))
            start = end
        return concatenate_answers(parts)

    def _pass(
        self, before: torch.Tensor, after: torch.Tensor, one: torch.Tensor, two: torch.Tensor
    ) -> Answer:
        height, width = before.shape[2:]
        padded = (pad(date) for date in (before, after))
        return self._answer(*padded, one, two).cut(height, width)
