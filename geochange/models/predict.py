"""Prediction: chips in, logits of change out, in batches, one at a time on each device."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.errors import OptionError
from geochange.models import ModelSpec, resident
from geochange.models.batch import collate

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


def _lock(device: str) -> threading.Lock:
    with _locks_guard:
        return _locks.setdefault(device, threading.Lock())


def predict(spec: ModelSpec, chips: Sequence[Chip], batch_size: int) -> NDArray[np.float32]:
    """(chip, height, width) float32 logits of change of chips of one shape; NaN without data.

    One batch is on a device at a time; threads that wait for it read and write meanwhile. A chip
    without any data is not shown to the network.
    """
    logits = np.full((len(chips), *chips[0].shape), np.nan, np.float32)
    seen = [i for i, chip in enumerate(chips) if chip.valid.any()]
    for start in range(0, len(seen), batch_size):
        part = seen[start : start + batch_size]
        logits[part] = _predict_batch(spec, [chips[i] for i in part])
    for i in seen:
        logits[i][~chips[i].valid] = np.nan
    return logits


def _predict_batch(spec: ModelSpec, chips: Sequence[Chip]) -> NDArray[np.float32]:
    model = resident(spec)
    batch = collate(chips, spec.device)
    with _lock(spec.device), torch.no_grad():
        answer = model.change_logits(batch).float().cpu().numpy()
    if not np.isfinite(answer).all():
        raise FloatingPointError(f"model {spec.name} answered with numbers that are not finite")
    return np.asarray(answer)
