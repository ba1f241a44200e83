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
    """Show chips of one shape to a model, in batches.

    One batch is on a device at a time; threads that wait for it read and write meanwhile. A chip
    without any data is not shown.
    """
    model = resident(spec)
    logits = np.full((len(chips), *chips[0].shape), np.nan, np.float32)
    scores = np.full((len(chips), 2, len(classes_of(model))), np.nan, np.float32)
    seen = [i for i, chip in enumerate(chips) if chip.valid.any()]
    for start in range(0, len(seen), batch_size):
        part = seen[start : start + batch_size]
        batch = collate([chips[i] for i in part], spec.device)
        with _lock(spec.device), torch.no_grad():
            logits[part], scores[part] = _look(model, batch)
    for i in seen:
        if not np.isfinite(logits[i]).all():
            raise FloatingPointError(f"model {spec.name} answered with numbers that are not finite")
        logits[i][~chips[i].valid] = np.nan
    return Prediction(logits, scores)


def _look(model: ChangeModel, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if not isinstance(model, NamesClasses) or not model.classes:
        return _numbers(model.change_logits(batch)), np.empty((len(batch), 2, 0), np.float32)
    scores = model.class_scores(batch)
    return _numbers(model.change_logits(batch, scores)), _numbers(torch.stack(scores, dim=1))


def _numbers(answer: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(answer.float().cpu().numpy())
