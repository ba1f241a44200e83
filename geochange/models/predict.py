"""Prediction: chips in, logits of change out, in batches, one at a time on each device."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.errors import OptionError
from geochange.models import ModelSpec, resident
from geochange.models.batch import Batch, collate
from geochange.models.protocol import ChangeModel, NamesClasses

logger = logging.getLogger(__name__)

BothNames = tuple[tuple[str, ...], tuple[str, ...]]
"""A chip's class names at the date before and at the date after."""

_locks: dict[str, threading.Lock] = {}
_locks_guard = threading.Lock()


def choose_device(wanted: str) -> str:
    """The device for "auto" (the first GPU, else the CPU) or the one named, if it is here.

    Raises OptionError.
    """
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise OptionError(
            f"--device {wanted}: not usable here ({reason}); choose cpu or auto"
        ) from error
    return str(device)


def cores() -> int:
    """Over how many threads torch splits a sum in this process, and all workers should."""
    return torch.get_num_threads()


def _lock(device: str) -> threading.Lock:
    with _locks_guard:
        return _locks.setdefault(device, threading.Lock())


@dataclass(frozen=True)
class Prediction:
    """What a model says of chips.

    logits: (chip, height, width) float32 of change, NaN without data.
    scores: (chip, date, class) float32; no classes where the model names none, NaN where a chip
    holds no data.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]


def classes_of(model: ChangeModel) -> tuple[str, ...]:
    """The names of the classes a model scores on its way; most models name none."""
    return model.classes if isinstance(model, NamesClasses) else ()


def predict(spec: ModelSpec, chips: Sequence[Chip], batch_size: int) -> Prediction:
    """Show chips of one shape to the model of a spec, in batches; see `show`."""
    return show(resident(spec), chips, batch_size, spec.device)


def show(
    model: ChangeModel,
    chips: Sequence[Chip],
    batch_size: int,
    device: str,
    names: Sequence[BothNames] | None = None,
) -> Prediction:
    """Show chips of one shape to a model, in batches.

    One batch is on a device at a time; threads that wait for it read and write meanwhile. A chip
    without any data is not shown.
    names: the class names of every chip at both dates, for a model that takes them (NamesClasses);
    it then scores none itself, and the scores are of no classes.
    """
    logits = np.full((len(chips), *chips[0].shape), np.nan, np.float32)
    classes = classes_of(model) if names is None else ()
    scores = np.full((len(chips), 2, len(classes)), np.nan, np.float32)
    seen = [i for i, chip in enumerate(chips) if chip.valid.any()]
    for start in range(0, len(seen), batch_size):
        part = seen[start : start + batch_size]
        batch = collate([chips[i] for i in part], device)
        known = None if names is None else [names[i] for i in part]
        with _lock(device), torch.no_grad():
            logits[part], scores[part] = _look(model, batch, known)
    for i in seen:
        if not np.isfinite(logits[i]).all():
            name = f"{type(model).__module__}:{type(model).__qualname__}"
            raise FloatingPointError(f"model {name} answered with numbers that are not finite")
        logits[i][~chips[i].valid] = np.nan
    return Prediction(logits, scores)


def show_turned(
    model: ChangeModel,
    chips: Sequence[Chip],
    batch_size: int,
    device: str,
    names: Sequence[BothNames] | None = None,
) -> NDArray[np.float32]:
    """(chip, height, width) mean of a model's logits over the eight symmetries of the square.

    Each way of turning and mirroring is shown as a chip of its own, and undone on the answer. NaN
    without data; see `show` for the arguments.
    """
    total = np.zeros((len(chips), *chips[0].shape), np.float32)
    for turns in range(4):
        for mirrored in (False, True):
            turned = [_turned(chip, turns, mirrored) for chip in chips]
            logits = show(model, turned, batch_size, device, names).logits
            upright = logits[:, :, ::-1] if mirrored else logits
            total += np.rot90(upright, -turns, axes=(1, 2))
    return total / np.float32(8)


def _turned(chip: Chip, turns: int, mirrored: bool) -> Chip:
    """A chip a quarter turned, so many times, then mirrored left to right."""
    dates = (np.rot90(picture, turns) for picture in (chip.before, chip.after, chip.valid))
    before, after, valid = (date[:, ::-1] if mirrored else date for date in dates)
    return Chip(before, after, valid)


def _look(
    model: ChangeModel, batch: Batch, names: Sequence[BothNames] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    nothing = np.empty((len(batch), 2, 0), np.float32)
    if not isinstance(model, NamesClasses):
        return _numbers(model.change_logits(batch)), nothing
    if names is not None:
        before, after = zip(*names, strict=True)
        return _numbers(model.named_logits(batch, (before, after))), nothing
    if not model.classes:
        return _numbers(model.change_logits(batch)), nothing
    scores = model.class_scores(batch)
    return _numbers(model.change_logits(batch, scores)), _numbers(torch.stack(scores, dim=1))


def _numbers(answer: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(answer.float().cpu().numpy())
