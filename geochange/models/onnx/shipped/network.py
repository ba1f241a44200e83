"""ShippedNetwork: the shipped network on a CPU by onnxruntime, as a PredictsChips."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.land_cover import LIKELY_CHANGE
from geochange.models.confidence import ConfidenceRule
from geochange.models.onnx.session import Session
from geochange.models.onnx.shipped.graphs import open_graph, tables_of
from geochange.models.onnx.shipped.land import LandLooks, OnlyClasses
from geochange.models.onnx.shipped.pictures import pad, picture_of
from geochange.models.onnx.shipped.texts import Names, TextTables, best_names
from geochange.models.protocol import NamingRule, Statistics
from geochange.models.weights.locate import SHIPPED

Floats = NDArray[np.float32]

CACHED_TEXTS = 4096


class ShippedNetwork:
    """What ChangeClipDetector answers in float32, chip by chip, each in one thread.

    checkpoint: a file of SHIPPED. prompts: None is as the card says. only, likely: see DetectorSpec.
    """

    bands: int | None = 3

    def __init__(
        self,
        checkpoint: Path,
        prompts: str | None = None,
        only: Sequence[str] = (),
        likely: float | None = None,
    ) -> None:
        self._checkpoint = checkpoint
        self._sha256 = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        self._texts = self._open("texts")
        self._change = self._open("change")
        card = tables_of(self._texts)
        self._card = card
        self._tables = TextTables.of_json(card)
        self._prompts = prompts or card["prompts"]
        self._scores = None if self._prompts == "fixed" else self._open("scores")
        self._embedding = lru_cache(CACHED_TEXTS)(self._embed)
        likely = LIKELY_CHANGE if likely is None else likely
        self._land = LandLooks(self._open, likely)
        self._only = OnlyClasses.of(only, self.land_classes)

    @property
    def threshold(self) -> float:
        """The probability from which a pixel counts as changed."""
        return float(self._card["threshold"])

    @property
    def classes(self) -> Names:
        """The class names that are scored; empty with fixed prompts."""
        return () if self._scores is None else self._tables.vocabulary

    @property
    def land_classes(self) -> Names:
        """The land classes by number."""
        return tuple(self._card["land"])

    @property
    def tells_land(self) -> bool:
        """Whether land classes come with the logits, which depend on them."""
        return self._only is not None

    @property
    def naming(self) -> NamingRule:
        """The naming rule of the card."""
        meanings = tuple(tuple(names) for names in self._card["meanings"])
        return NamingRule(meanings, self._card["least_score"])

    @property
    def confidence(self) -> ConfidenceRule | None:
        """The rule of the card, for all changes or for some classes."""
        values = self._card["confidence"]
        rule = None if values is None else ConfidenceRule.of_json(values)
        return rule.of_classes() if rule and self._only else rule

    def fit(self, sample: Sequence[Chip]) -> Statistics:
        """Empty: the network needs no statistics."""
        return {}

    def adopt(self, statistics: Statistics) -> None:
        """Does nothing."""

    def predict_chip(self, chip: Chip) -> tuple[Floats, Floats, NDArray[np.uint8]]:
        """(H, W) logits of change, (2, V) class scores, (2, H, W) land classes by number.

        Land is seen here for `only` alone, where change is likely. Raises InputError for pixels that are
        not 8-bit RGB.
        """
        dates = picture_of(chip.before), picture_of(chip.after)
        scores = self._class_scores(dates)
        height, width = chip.shape
        one, two = (self._text(names) for names in self._names(scores))
        feed = {"before": pad(dates[0]), "after": pad(dates[1]), "one": one, "two": two}
        logits: Floats = self._change.run(feed, ["change"])[0][0, :height, :width]
        seen = np.empty((0, height, width), np.uint8)
        if self._only:
            said, land = self._land.opinion(dates, logits, chip.valid)
            logits = self._only.mask(np.divide(said, self._temperature), land)
            seen = self._only.numbers(land)
        else:
            logits = np.divide(logits, self._temperature)
        return logits, self._place_scores(dates, logits, chip, scores), seen

    def land(self, chip: Chip) -> NDArray[np.uint8]:
        """(2, H, W) land classes by number, whether change is likely or not."""
        return self._land.everywhere((picture_of(chip.before), picture_of(chip.after)))

    @property
    def scores_places(self) -> bool:
        """Whether places are named by a place head, not by the scores of the prompts."""
        return self._scores is not None and bool(self._card["place"])

    def places(self, chip: Chip) -> Floats:
        """(2, V) scores of class names for the place, whether change is likely or not."""
        return self._land.places((picture_of(chip.before), picture_of(chip.after)))

    @cached_property
    def _temperature(self) -> np.float32:
        return np.float32(self._card["temperature"])

    def _open(self, part: str) -> Session:
        return open_graph(self._checkpoint, part, self._sha256)

    def _class_scores(self, dates: Sequence[Floats]) -> Floats:
        if self._scores is None:
            return np.empty((2, 0), np.float32)
        found = [self._scores.run({"picture": date}, ["scores"])[0] for date in dates]
        return np.concatenate(found)

    def _place_scores(
        self, dates: Sequence[Floats], logits: Floats, chip: Chip, scores: Floats
    ) -> Floats:
        """(2, V) by which places are named; NaN where a place head did not look."""
        if not self.scores_places:
            return scores
        if self._land.is_likely(logits, chip.valid):
            return self._land.places(dates)
        return np.full_like(scores, np.nan)

    def _names(self, scores: Floats) -> tuple[Names, Names]:
        if self._scores is None:
            return self._tables.fixed
        before = best_names(scores[0], self._tables.vocabulary)
        if self._prompts == "published":
            return before, before
        return before, best_names(scores[1], self._tables.vocabulary)

    def _text(self, names: Names) -> Floats:
        """(1, 2, C): the embeddings of the background and of a text with these names."""
        return np.stack([self._embedding(None), self._embedding(names)], axis=1)

    def _embed(self, names: Names | None) -> Floats:
        tables = self._tables
        tokens = tables.background_text() if names is None else tables.foreground_text(names)
        return self._texts.run({"tokens": tokens}, ["embedding"])[0]


def build_shipped(file: str, prompting: Mapping[str, Any]) -> ShippedNetwork:
    """The network of a ModelSpec whose engine is onnx. Raises InputError, MissingDependencyError."""
    checkpoint = next((path for path in SHIPPED.values() if path == Path(file)), None)
    if checkpoint is None:
        raise InputError(f"{file}: onnxruntime runs shipped networks alone; use --engine torch")
    return ShippedNetwork(
        checkpoint, prompting["prompts"], tuple(prompting["only"]), prompting["likely"]
    )
