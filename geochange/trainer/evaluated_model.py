"""EvaluatedModel: a model under evaluation, with the labelled chips that it is measured on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geochange.chip import UNKNOWN, Chip
from geochange.config import EvaluateOptions
from geochange.config.run import RADAR_MODELS
from geochange.dataset import open_split
from geochange.dataset.open_split import EIGHT_BIT
from geochange.dataset.truth.classified_chips import classified
from geochange.errors import OptionError
from geochange.inputs.choose_model import choose_model
from geochange.models import ModelSpec, cached_model, check_name, kind_of, taught_bands
from geochange.models.bands.input_bands import InputBands
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.predict import BothNames, run_model, run_model_with_tta
from geochange.models.inference.prediction import land_classes_of
from geochange.models.prompts import Names
from geochange.models.protocol import ChangeModel
from geochange.models.spec import detector_options
from geochange.models.weights.checkpoint import DEFAULT_CLIP, read_checkpoint
from geochange.models.weights.locate import as_input_error
from geochange.trainer.chip_names import stored_names
from geochange.trainer.input_bands import measured_bands
from geochange.training.data.chip_source import ChipSource

SAMPLE_PX = 64 * 256**2
"""The most pixels of a split from which a model without weights takes its statistics."""

BANDS = 3
"""The bands of chips."""


@dataclass(frozen=True)
class EvaluatedModel:
    """A model and the chips that it is measured on.

    names: the class names of every chip, where they are stored. classes: the land classes of the
    labels, where they tell classes and the model knows all of them; the chips then have `land`.
    """

    spec: ModelSpec
    model: ChangeModel
    source: ChipSource
    options: EvaluateOptions
    names: Sequence[BothNames] | None = None
    classes: Names = ()

    @property
    def naming(self) -> str:
        """The source of the class names: stored, CLIP or none."""
        if self.names is not None:
            return "stored"
        return "CLIP" if getattr(self.model, "classes", ()) else "none"

    def answers(self, numbers: Sequence[int]) -> Iterator[tuple[int, Chip, NDArray[np.float32]]]:
        """Each chip with its logits, NaN without data; memory holds one batch and the next."""
        for number, chip, logits, _ in self.answers_with_land(numbers):
            yield number, chip, logits

    def answers_with_land(
        self, numbers: Sequence[int]
    ) -> Iterator[tuple[int, Chip, NDArray[np.float32], NDArray[np.uint8]]]:
        """The same, and (2, height, width) predicted numbers of `classes`; UNKNOWN for others."""
        for chips in _batches(self.source, numbers, self.options.batch):
            for _, alike in groupby(chips, key=lambda item: item[1].shape):
                part = list(alike)
                for (number, chip), logits, land in zip(part, *self._show(part), strict=True):
                    yield number, chip, logits, land

    def _show(
        self, part: Sequence[tuple[int, Chip]]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        chips = [chip for _, chip in part]
        names = None if self.names is None else [self.names[number] for number, _ in part]
        given = (self.model, chips, self.options.batch, self.spec.device, names)
        logits = run_model_with_tta(*given) if self.options.tta else None
        if logits is not None and not self.classes:
            return logits, _no_land(len(chips))
        upright = run_model(*given, land=bool(self.classes))
        land = self._numbers[upright.land] if self.classes else _no_land(len(chips))
        return upright.logits if logits is None else logits, land

    @property
    def _numbers(self) -> NDArray[np.uint8]:
        """From the number of a class in the model to that in the labels."""
        numbers = np.full(UNKNOWN + 1, UNKNOWN, np.uint8)
        own = land_classes_of(self.model)
        numbers[[own.index(name) for name in self.classes]] = np.arange(len(self.classes))
        return numbers


def _no_land(chips: int) -> NDArray[np.uint8]:
    return np.empty((chips, 0, 0, 0), np.uint8)


def open_evaluated_split(name: str, root: Path, options: EvaluateOptions) -> ChipSource:
    """The chips of a split with the pixels and bands that a model takes.

    Raises OptionError, InputError.
    """
    check_name(name)
    known, pixels, bands = taught_bands(name), EIGHT_BIT, options.bands
    if known is not None:
        pixels, bands = known.unit, bands or ",".join(map(str, known.numbers))
    if name in RADAR_MODELS:
        pixels = "db"
    return open_split(root, options.split, layout=options.layout, bands=bands, pixels=pixels)


def shown_bands(name: str, source: ChipSource) -> InputBands | None:
    """By what chips of a model are shown as RGB; None where they are RGB. Raises InputError."""
    return measured_bands(source, "db") if name in RADAR_MODELS else taught_bands(name)


def open_evaluated_model(
    name: str, root: Path, source: ChipSource, options: EvaluateOptions
) -> EvaluatedModel:
    """Build a model by name, as `run` does; one without weights fits chips of the split.

    Raises OptionError, InputError.
    """
    return _with_classes(_open_model(name, root, source, options))


def _with_classes(examined: EvaluatedModel) -> EvaluatedModel:
    """With the classes of the labels, where the model tells all of them apart by pixel."""
    known = land_classes_of(examined.model)
    found = classified(examined.source) if known else None
    if found is None or not set(found.table.names) <= set(known):
        return examined
    return replace(examined, source=found, classes=found.table.names)


def _open_model(
    name: str, root: Path, source: ChipSource, options: EvaluateOptions
) -> EvaluatedModel:
    spec = choose_model(name, options)
    if kind_of(name) == "weights":
        return _changeclip_model(spec, root, source, options)
    model = cached_model(spec)
    if model.bands not in (None, BANDS):
        raise OptionError(f"model {name} takes {model.bands} bands, but chips have {BANDS}")
    fitted = replace(spec, statistics=model.fit(_sample(source)))
    return EvaluatedModel(fitted, cached_model(fitted), source, options)


def _changeclip_model(
    spec: ModelSpec, root: Path, source: ChipSource, options: EvaluateOptions
) -> EvaluatedModel:
    """ChangeCLIP; CLIP is not read where the names of all chips are stored beside the data."""
    checkpoint = read_checkpoint(spec.name)
    mode = options.prompts or checkpoint.card.prompts
    vocabulary = spec.prompting.vocabulary or checkpoint.card.vocabulary
    names = None
    if mode != "fixed":
        clip = options.clip or (spec.name if checkpoint.own_clip() else DEFAULT_CLIP)
        names = stored_names(root, options.split, source, clip, vocabulary)
    if names is None:
        return EvaluatedModel(spec, cached_model(spec), source, options)
    if mode == "published":
        names = [(before, before) for before, _ in names]
    detector = DetectorSpec(spec.name, spec.device, **detector_options(vars(spec.prompting)))
    with as_input_error(spec.name):
        network = checkpoint.build().requires_grad_(False)
        land = checkpoint.build_land()
        model = ChangeClipDetector(detector, network, checkpoint.card, land=land)
    return EvaluatedModel(spec, model, source, options, names)


def _sample(source: ChipSource) -> list[Chip]:
    """Chips spread over the split, without those that hold no data."""
    count = max(1, SAMPLE_PX // math.prod(source[0].shape))
    numbers = np.linspace(0, len(source) - 1, min(count, len(source))).round().astype(int)
    chips = (source[number] for number in numbers.tolist())
    return [chip for chip in chips if chip.valid.any()]


def _batches(
    source: ChipSource, numbers: Sequence[int], size: int
) -> Iterator[list[tuple[int, Chip]]]:
    """Numbered chips; the next batch is read while the present one is predicted."""
    with ThreadPoolExecutor() as pool:

        def read(start: int) -> list[Future[Chip]]:
            return [pool.submit(source.__getitem__, n) for n in numbers[start : start + size]]

        ahead = read(0)
        for start in range(0, len(numbers), size):
            here, ahead = ahead, read(start + size)
            chips = [chip.result() for chip in here]
            yield list(zip(numbers[start : start + size], chips, strict=True))
