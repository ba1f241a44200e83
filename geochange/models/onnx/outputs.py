"""What a network's outputs say: logits of change, and numbers of what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from geochange.errors import InputError
from geochange.models.onnx.describe import Description, LandTable

SURE = 12.0
"""The logit of change of a label that is change, and its negative for one that is not."""

LEAST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that their logits are finite."""

OUTSIDE = 1e-3
"""How far a probability may lie outside of 0 to 1, by rounding."""


def as_maps(answer: NDArray[Any], height: int, width: int, name: str) -> torch.Tensor:
    """(batch, channel, h, w) of an output; h and w are the input's sides, or a fraction of them.

    Raises InputError for another shape.
    """
    shape = answer.shape
    found = answer[:, None] if answer.ndim == 3 else answer
    rows, cols = found.shape[-2:] if found.ndim == 4 else (0, 0)
    fits = found.ndim == 4 and found.shape[1] and rows and cols
    if not fits or height % rows or width % cols or height // rows != width // cols:
        raise InputError(
            f"its output {name[:40]!r} is of shape {shape} for {height} x {width} px; it must be (B, K, "
            "H, W) or (B, H, W) of this size or a fraction of it"
        )
    return torch.from_numpy(np.ascontiguousarray(found))


def change_logits(maps: torch.Tensor, known: Description) -> torch.Tensor:
    """(batch, h, w) float32 logits of change from the output that tells it.

    K channels: the logit of all channels but `unchanged`. Raises InputError for a wrong description.
    """
    unchanged, says = known.options.unchanged, known.says
    if says == "labels":
        labels = _labels(maps)
        still = torch.isin(labels, torch.tensor(unchanged))
        return torch.where(still, -SURE, SURE).to(torch.float32)
    maps = maps.float()
    if maps.shape[1] == 1:
        return _logit(maps)[:, 0] if says == "probability" else maps[:, 0]
    changed, others = _apart(maps.shape[1], unchanged)
    if says == "probability":
        _check_probabilities(maps)
        # Summed one by one: the order of a sum over channels is then the same everywhere.
        return _logit(_added(maps, changed) / _added(maps, range(maps.shape[1])).clamp(min=LEAST))
    return _log_sum(maps, changed) - _log_sum(maps, others)


def _apart(channels: int, unchanged: Sequence[int]) -> tuple[list[int], list[int]]:
    still = [i for i in range(channels) if i in unchanged]
    changed = [i for i in range(channels) if i not in unchanged]
    if not still or not changed or max(unchanged) >= channels:
        raise InputError(
            f"has {channels} channels, of which {list(unchanged)[:9]} are unchanged; name some of 0 to "
            f"{channels - 1}, not all"
        )
    return changed, still


def _added(maps: torch.Tensor, channels: Sequence[int]) -> torch.Tensor:
    total = torch.zeros_like(maps[:, 0])
    for channel in channels:
        total = total + maps[:, channel]
    return total


def _log_sum(maps: torch.Tensor, channels: Sequence[int]) -> torch.Tensor:
    if len(channels) == 1:
        return maps[:, channels[0]]
    peak = maps[:, list(channels)].amax(dim=1)
    return peak + torch.log(_added(torch.exp(maps - peak[:, None]), channels))


def _logit(probability: torch.Tensor) -> torch.Tensor:
    _check_probabilities(probability)
    kept = probability.double().clamp(LEAST, 1 - LEAST)
    return torch.log(kept / (1 - kept)).float()


def _check_probabilities(maps: torch.Tensor) -> None:
    low, high = (float(edge) for edge in maps.aminmax())
    if low < -OUTSIDE or high > 1 + OUTSIDE:
        raise InputError(
            f"answers {low:.3g} to {high:.3g}, which are no probabilities; describe it with says: logits"
        )


def _labels(maps: torch.Tensor) -> torch.Tensor:
    if maps.shape[1] != 1:
        raise InputError(f"has labels in {maps.shape[1]} channels; it must have one")
    return maps[:, 0].round().to(torch.int64)


def dates_logits(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """(batch, h, w) logits of the classes of both dates being different.

    Of class maps (batch, K, h, w): the probability that two draws differ, which takes the dates for
    independent. Of labels (batch, 1, h, w): SURE where they differ.
    """
    if before.shape[1] == 1:
        return torch.where(_labels(before) != _labels(after), SURE, -SURE).to(torch.float32)
    one, two = (date.double().softmax(dim=1) for date in (before, after))
    same = _added(one * two, range(one.shape[1])).clamp(LEAST, 1 - LEAST)
    return torch.log((1 - same) / same).float()


def class_numbers(maps: torch.Tensor, numbers: Sequence[int], name: str) -> torch.Tensor:
    """(batch, h, w) uint8 numbers of land classes, from (batch, K, h, w) scores or labels.

    numbers: by channel or label. Raises InputError if they are not as many.
    """
    table = torch.tensor(numbers, dtype=torch.uint8)
    best = _labels(maps) if maps.shape[1] == 1 else maps.argmax(dim=1)
    most = int(best.max()) if best.numel() else 0
    if most >= len(table) or int(best.min()) < 0 or maps.shape[1] not in (1, len(table)):
        raise InputError(
            f"its output {name[:40]!r} has classes up to {max(most, maps.shape[1] - 1)}; classes names "
            f"{len(table)}"
        )
    return table[best]


def changed_numbers(
    maps: torch.Tensor, known: Description, table: LandTable
) -> tuple[torch.Tensor, torch.Tensor]:
    """Land classes before and after, (batch, h, w), by the most probable class of change."""
    name = known.output.name if known.output else ""
    if maps.shape[1] > 1:
        _, still = _apart(maps.shape[1], known.options.unchanged)
        hidden = torch.zeros(maps.shape[1], dtype=torch.bool)
        hidden[still] = True
        maps = maps.float().masked_fill(hidden[:, None, None], -torch.inf)
    before, after = (class_numbers(maps, date, name) for date in (table.before, table.after))
    return before, after


def enlarged(maps: torch.Tensor, height: int, width: int, smooth: bool) -> torch.Tensor:
    """(batch, channel, h, w) at the size of the input: bilinear, or nearest for labels."""
    if maps.shape[2:] == (height, width):
        return maps
    if smooth:
        return F.interpolate(maps.float(), size=(height, width), mode="bilinear")
    factor = height // maps.shape[2]
    return maps.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
