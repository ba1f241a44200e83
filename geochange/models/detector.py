"""ChangeCLIP as a ChangeModel: the network with its prompts and caches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from geochange.chip import Chip
from geochange.errors import InputError, OptionError
from geochange.models.changeclip.network import STRIDE, Answer, ChangeClip, joined
from geochange.models.inference.batch import Batch
from geochange.models.inference.precision import Precision, choose
from geochange.models.prompts import (
    FIXED,
    Names,
    PromptCache,
    PromptMode,
    best_names,
    check_names,
)
from geochange.models.protocol import ALWAYS, NamingRule, Statistics
from geochange.models.scorer import ClipScorer, build_scorer
from geochange.models.weights.card import OWN_CLIP, Card
from geochange.models.weights.checkpoint import DEFAULT_CLIP, read_checkpoint, read_clip

Scores = tuple[torch.Tensor, torch.Tensor]
"""Class probabilities (B, V) of the date before and of the date after."""

BothNames = tuple[Sequence[Names], Sequence[Names]]
"""The class names of each chip at the date before and at the date after."""


SURELY_NOT = -12.0
"""The logit of change for pixels where none of the requested classes is present."""


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What a worker needs to build a detector. It is picklable, a detector is not.

    model: a checkpoint file. clip: see `read_clip`; None uses the checkpoint's own CLIP, or else the
    default. vocabulary, prompts: None uses those of the checkpoint. fixed: the names of both dates for
    `fixed` prompts. precision: `auto` uses bfloat16 where it is faster. compiled: use torch.compile.
    cache: the number of cached texts. only: classes of the land head; if given, a pixel is change
    only if one of them covers it at either date.
    """

    model: str
    device: str = "cpu"
    precision: Precision = "auto"
    clip: str | None = None
    vocabulary: Names | None = None
    prompts: PromptMode | None = None
    fixed: tuple[Names, Names] = (FIXED, FIXED)
    compiled: bool = False
    cache: int = 4096
    only: Names = ()

    def build(self) -> ChangeClipDetector:
        """Read checkpoint and CLIP, and move both to the device. Raises InputError."""
        checkpoint = read_checkpoint(self.model)
        card = checkpoint.card
        scorer = None
        if (self.prompts or card.prompts) != "fixed":
            own = None if self.clip else checkpoint.own_clip()
            clip = own or read_clip(self.clip or DEFAULT_CLIP)
            scorer = build_scorer(clip.tensors, clip.quickgelu, self._names(card))
        return ChangeClipDetector(self, checkpoint.build().requires_grad_(False), card, scorer)

    def _names(self, card: Card) -> Names:
        """The names from which CLIP chooses. Raises InputError if the card has too few."""
        try:
            return check_names(self.vocabulary or card.vocabulary)
        except InputError as error:
            raise InputError(
                f"{self.model}: {error}; give other names with --vocabulary"
            ) from error


class ChangeClipDetector:
    """A ChangeModel for 8-bit RGB.

    The logit is class 1 minus class 0 of the network, divided by the temperature of the card.

    A CPU processes chips one at a time: this costs nothing there, and a chip's result does not depend
    on its batch, to the last bit. A GPU processes a batch at once, and rounding depends on its size.
    """

    bands: int | None = 3

    def __init__(
        self, spec: DetectorSpec, network: ChangeClip, card: Card, scorer: ClipScorer | None = None
    ) -> None:
        self.device = torch.device(spec.device)
        self.threshold = card.threshold
        self.card = card
        self.prompts: PromptMode = spec.prompts or card.prompts
        self.vocabulary: Names = spec.vocabulary or card.vocabulary
        self.fixed = spec.fixed
        self.dtype = choose(spec.precision, self.device)
        self.network = network
        self.scorer = scorer
        self._other_clip = spec.clip is not None
        self._only = [self.land_classes.index(name) for name in spec.only]
        self._settle(spec)

    def _settle(self, spec: DetectorSpec) -> None:
        for module in (self.network, self.scorer):
            if module is not None and self.dtype == torch.bfloat16:
                module.lower()
            if module is not None:
                module.to(self.device).to(memory_format=torch.channels_last)
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
            return ALWAYS
        return NamingRule(self.card.meanings, self.card.least_score)

    @property
    def land_classes(self) -> Names:
        """The classes of the land head; empty without one."""
        land = self.card.options.land
        return () if land is None else land.classes

    def fit(self, sample: Sequence[Chip]) -> Statistics:
        """Empty: the network needs no statistics."""
        return {}

    def adopt(self, statistics: Statistics) -> None:
        """Does nothing."""

    @torch.inference_mode()
    def class_scores(self, batch: Batch) -> Scores:
        """(B, V) probabilities of `classes` at both dates; V is 0 with fixed prompts."""
        _check(batch)
        if self.prompts == "fixed":
            empty = torch.zeros(len(batch), 0, device=self.device)
            return empty, empty
        if self.scorer is None:
            raise OptionError("this model was loaded without CLIP, but prompts per chip need it")
        parts = [self.scorer(torch.cat(pair)).chunk(2) for pair in self._passes(batch)]
        before, after = zip(*parts, strict=True)
        return torch.cat(before), torch.cat(after)

    @torch.inference_mode()
    def change_logits(self, batch: Batch, scores: Scores | None = None) -> torch.Tensor:
        """(B, H, W) float32. scores: from `class_scores`; None computes them here."""
        _check(batch)
        return self.named_logits(batch, self.names(batch, scores))

    @torch.inference_mode()
    def named_logits(self, batch: Batch, names: BothNames) -> torch.Tensor:
        """(B, H, W) float32, with given class names for each chip at both dates."""
        _check(batch)
        return self._decided(self._answers(batch, *names))

    @torch.inference_mode()
    def change_and_land(
        self, batch: Batch, scores: Scores | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, H, W) float32 logits of change, and (B, 2, H, W) uint8 class numbers of the land head.

        scores: see `change_logits`. Raises ValueError for a network without a land head.
        """
        _check(batch)
        answer = self._answers(batch, *self.names(batch, scores))
        if answer.land is None:
            raise ValueError("this network has no land head")
        dates = [land.argmax(dim=1).to(torch.uint8) for land in answer.land]
        return self._decided(answer), torch.stack(dates, dim=1)

    def _decided(self, answer: Answer) -> torch.Tensor:
        """The logits of change, suppressed where none of the requested classes is present."""
        logits = (answer.change[:, 1] - answer.change[:, 0]) / self.card.temperature
        if not self._only or answer.land is None:
            return logits
        wanted = [standing(land, self._only) for land in answer.land]
        there = torch.maximum(*wanted) >= 0
        return torch.where(there, logits, logits.clamp(max=SURELY_NOT))

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
        _check(batch)
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
        return joined(parts)

    def _pass(
        self, before: torch.Tensor, after: torch.Tensor, one: torch.Tensor, two: torch.Tensor
    ) -> Answer:
        height, width = before.shape[2:]
        padded = (pad(date) for date in (before, after))
        return self._answer(*padded, one, two).cut(height, width)


def standing(land: torch.Tensor, classes: Sequence[int]) -> torch.Tensor:
    """(B, classes, H, W) logits -> (B, H, W): the logit that one of these classes is present."""
    others = [number for number in range(land.shape[1]) if number not in classes]
    if not others:
        return torch.full_like(land[:, 0], torch.inf)
    return land[:, list(classes)].logsumexp(dim=1) - land[:, others].logsumexp(dim=1)


def pad(pictures: torch.Tensor) -> torch.Tensor:
    """Repeat the last row and column until both sides are multiples of 32.

    Both dates are padded in the same way, so the padding adds no change.
    """
    down, right = (-side % STRIDE for side in pictures.shape[2:])
    if not down and not right:
        return pictures
    return F.pad(pictures.float(), (0, right, 0, down), mode="replicate")


def _check(batch: Batch) -> None:
    """Refuse batches that are not RGB in 0-255 at both dates. Raises InputError."""
    for date in (batch.before, batch.after):
        if date.ndim != 4 or date.shape[1] != 3 or date.shape != batch.before.shape:
            raise InputError(f"pixels of shape {tuple(date.shape)}: RGB of both dates is needed")
        if date.dtype == torch.uint8 or not len(date):
            continue
        low, high = (float(edge) for edge in date.float().aminmax())
        if not (low >= 0.0 and high <= 255.0):
            raise InputError(
                f"pixels from {low:g} to {high:g}: ChangeCLIP takes 8-bit RGB, so stretch the "
                "rasters to 0-255 first"
            )


def load_model(
    file: str, *, device: str = "cpu", precision: Precision = "float32"
) -> ChangeClipDetector:
    """The network of a checkpoint, for `logits` with given class names. It does not read CLIP.

    file: a checkpoint of geochange or the authors' .pth. To let CLIP name the classes, build a
    DetectorSpec. Raises InputError.
    """
    spec = DetectorSpec(file, device=device, precision=precision)
    checkpoint = read_checkpoint(file)
    return ChangeClipDetector(spec, checkpoint.build().requires_grad_(False), checkpoint.card)
