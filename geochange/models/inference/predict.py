"""Prediction: from chips to logits of change, in batches, one batch at a time on each device."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.models import ModelSpec, cached_model
from geochange.models.inference.batch import collate
from geochange.models.inference.device_feed import DeviceFeed
from geochange.models.inference.devices import devices_of
from geochange.models.inference.engine import InferenceEngine
from geochange.models.inference.prediction import Prediction
from geochange.models.inference.request import BothNames, Request
from geochange.models.protocol import ChangeModel, ClassifiesLand

__all__ = [
    "BothNames",
    "Prediction",
    "predict",
    "predict_land",
    "run_model",
    "run_model_with_tta",
    "torch_threads",
]

_feeds: dict[str, tuple[tuple[str, int | None], DeviceFeed]] = {}
"""By device: the feed in use, with the key of its model and its batch."""
_feeds_guard = threading.Lock()


def torch_threads() -> int:
    """The number of threads over which torch splits sums. It is the same in all workers."""
    return torch.get_num_threads()


def predict(spec: ModelSpec, chips: Sequence[Chip], batch_size: int | None = None) -> Prediction:
    """Predict chips of one shape with the model of a spec. Chips of several threads share batches.

    They go to the device of the spec with the fewest waiting chips. batch_size: the largest batch;
    None measures it. Raises the error of a batch that held one of the chips, RunError if a single chip
    does not fit into memory, and NotFiniteError for logits that are not finite.
    """
    with _feeds_guard:
        feed = min(
            (_feed(spec, device, batch_size) for device in devices_of(spec.device)),
            key=_waiting_chips,
        )
        request = Request(feed.model, chips, None)
        feed.submit(request)
    return feed.wait_for(request)


def _waiting_chips(feed: DeviceFeed) -> int:
    return feed.waiting


def _feed(spec: ModelSpec, device: str, batch_size: int | None) -> DeviceFeed:
    """The feed of a device. A feed of another model or batch size is closed after its requests."""
    wanted = spec.key(), batch_size
    made_for, feed = _feeds.get(device, (None, None))
    if feed is None or made_for != wanted or not feed.alive:
        if feed is not None:
            feed.close()
        feed = DeviceFeed(cached_model(spec, device), device, batch_size)
        _feeds[device] = wanted, feed
    return feed


@atexit.register
def _close_feeds() -> None:
    """End the threads before the interpreter: stopping one inside torch would crash the process."""
    with _feeds_guard:
        for _, feed in _feeds.values():
            feed.abandon()
        _feeds.clear()


def run_model(
    model: ChangeModel,
    chips: Sequence[Chip],
    batch_size: int,
    device: str,
    names: Sequence[BothNames] | None = None,
    *,
    land: bool = False,
) -> Prediction:
    """Predict chips of one shape with a model object, batch by batch, in this thread.

    Chips without data are skipped. names: the class names of every chip at both dates, for a model
    that takes them (NamesClasses); it then scores no classes, and tells land classes only if `land`.
    Raises as `predict` does.
    """
    looker, request = InferenceEngine(model, device), Request(model, chips, names, land)
    for start in range(0, len(request.seen), batch_size):
        rows = [(request, place) for place in request.seen[start : start + batch_size]]
        looker.run(looker.load(rows, batch_size))
        request.store_delivered()
    return request.gather()


def predict_land(model: ClassifiesLand, chips: Sequence[Chip], device: str) -> NDArray[np.uint8]:
    """(chip, date, height, width) what stands there, whether change is likely or not; see `run_model`."""
    with torch.inference_mode():
        return np.asarray(model.land(collate(chips, device)).cpu().numpy())


def run_model_with_tta(
    model: ChangeModel,
    chips: Sequence[Chip],
    batch_size: int,
    device: str,
    names: Sequence[BothNames] | None = None,
) -> NDArray[np.float32]:
    """(chip, height, width) mean logits over the eight symmetries of the square.

    Each rotated or mirrored chip is predicted, and its logits are turned back. NaN without data. See
    `run_model` for the arguments.
    """
    total = np.zeros((len(chips), *chips[0].shape), np.float32)
    for turns in range(4):
        for mirrored in (False, True):
            turned = [_rotated(chip, turns, mirrored) for chip in chips]
            logits = run_model(model, turned, batch_size, device, names).logits
            upright = logits[:, :, ::-1] if mirrored else logits
            total += np.rot90(upright, -turns, axes=(1, 2))
    return total / np.float32(8)


def _rotated(chip: Chip, turns: int, mirrored: bool) -> Chip:
    """The chip rotated by quarter turns, then mirrored left to right."""
    dates = (np.rot90(picture, turns) for picture in (chip.before, chip.after, chip.valid))
    before, after, valid = (date[:, ::-1] if mirrored else date for date in dates)
    return Chip(before, after, valid)
