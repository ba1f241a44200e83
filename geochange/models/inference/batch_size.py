"""Capacity: how many chips a device takes at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import cuda

CPU_CHIPS = 16
"""At once on a CPU, which is as fast with one."""

MOST_CHIPS = 256
"""At once on a GPU: more only wait for each other."""

SHARE = 0.75
"""Of the memory that is free: the rest is for batches that come and go, and for fragments."""


def measure(look: Callable[[int], None], device: str) -> int:
    """How many chips `device` takes at once: on a GPU a power of two, from what is free there.

    look: shows so many chips to the model and waits for the answer. What it needs is measured for
    one chip and for two: a fixed part, and a part for every chip.
    """
    target = torch.device(device)
    if target.type != "cuda":
        return CPU_CHIPS
    try:
        look(1)  # what is set up once does not count
        one, two = (_peak(look, count, target) for count in (1, 2))
    except torch.OutOfMemoryError:
        return 1
    each = max(two - one, 1)
    fixed = max(one - each, 0)
    return fitting_batch(int((_room(target) * SHARE - fixed) // each))


def fitting_batch(chips: int) -> int:
    """The largest power of two that is no more than `chips`, between 1 and MOST_CHIPS."""
    return 1 << (max(1, min(chips, MOST_CHIPS)).bit_length() - 1)


def _peak(look: Callable[[int], None], count: int, device: torch.device) -> int:
    """Bytes by which the memory in use rises while so many chips are looked at."""
    cuda.synchronize(device)
    cuda.reset_peak_memory_stats(device)
    before = cuda.memory_allocated(device)
    look(count)
    cuda.synchronize(device)
    return int(cuda.max_memory_allocated(device)) - int(before)


def _room(device: torch.device) -> int:
    """Bytes free on the device, with those that torch keeps for itself unused."""
    free, _ = cuda.mem_get_info(device)
    return int(free) + int(cuda.memory_reserved(device)) - int(cuda.memory_allocated(device))
