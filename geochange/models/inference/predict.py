"""Prediction: chips in, logits of change out, in batches, one at a time on each device."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.models import ModelSpec, resident
from geochange.models.inference.devices import devices_of
from geochange.models.inference.engine import Looker
from geochange.models.inference.feed import Feed
from geochange.models.inference.request import (
    BothNames,
    Prediction,
    Request,
    classes_of,
    land_classes_of,
    naming_of,
)
from geochange.models.protocol import ChangeModel

__all__ = [
    "BothNames",
    "Prediction",
    "classes_of",
    "cores",
    "land_classes_of",
    "naming_of",
    "predict",
    "show",
    "show_turned",
]

_feeds: dict[str, tuple[tuple[str, int | None], Feed]] = {}
"""By device: the feed in use, and the model's key and the batch that it was made for."""
_feeds_guard = threading.Lock()


def cores() -> int:
    """Over how many threads torch splits a sum in this process, and all workers should."""
    return torch.get_num_threads()


def predict(spec: ModelSpec, chips: Sequence[Chip], batch_size: int | None = None) -> Prediction:
    """Show chips of one shape to the model of a spec, beside those of all other threads.

    They go to the device of the spec that has the fewest chips waiting. batch_size: the most at
    once; None finds it. Raises what a batch with one of these chips raised, RunError where memory
    does not suffice for a single one, FloatingPointError for an answer that is no number.
    """
    with _feeds_guard:
        feed = min(
            (_feed(spec, device, batch_size) for device in devices_of(spec.device)), key=_load
        )
        request = Request(feed.model, chips, None)
        feed.submit(request)
    return feed.answer(request)


def _load(feed: Feed) -> int:
    return feed.waiting


def _feed(spec: ModelSpec, device: str, batch_size: int | None) -> Feed:
    """The feed of a device; one for another model or batch is closed once its callers are done."""
    wanted = spec.key(), batch_size
    made_for, feed = _feeds.get(device, (None, None))
    if feed is None or made_for != wanted or not feed.alive:
        if feed is not None:
            feed.close()
        feed = Feed(resident(spec, device), device, batch_size)
        _feeds[device] = wanted, feed
    return feed


@atexit.register
def _end() -> None:
    """Let the threads end before the interpreter does: one cut off in torch would take it down."""
    with _feeds_guard:
        for _, feed in _feeds.values():
            feed.abandon()
        _feeds.clear()


def show(
    model: ChangeModel,
    chips: Sequence[Chip],
    batch_size: int,
    device: str,
    names: Sequence[BothNames] | None = None,
) -> Prediction:
    """Show chips of one shape to a model in hand, batch by batch, from this thread.

    A chip without any data is not shown. names: the class names of every chip at both dates, for
    a model that takes them (NamesClasses); it then scores none itself, and the scores are of no
    classes. Raises as `predict` does.
    """
    looker, request = Looker(model, device), Request(model, chips, names)
    for start in range(0, len(request.seen), batch_size):
        rows = [(request, place) for place in request.seen[start : start + batch_size]]
        looker.look(looker.load(rows, batch_size))
        request.take_delivered()
    return request.gather()


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
