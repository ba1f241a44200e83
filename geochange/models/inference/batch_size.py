"""Batch size: the number of chips that a device processes at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import cuda

CPU_CHIPS = 16
"""The batch size on a CPU, where larger batches are not faster."""

MAX_CHIPS = 256
"""The largest batch size on a GPU, where larger batches are not faster."""

MEMORY_SHARE = 0.75
"""The share of free memory that a batch may take. The rest is for transfers and fragmentation."""


def measure_batch_size(run_batch: Callable[[int], None], device: str) -> int:
    """The largest batch size of `device`. On a GPU it is a power of two, by its free memory.

    run_batch: runs the model on the given number of chips and waits. Memory is measured for one chip and
    for two, which gives a fixed part and a part per chip.
    """
    target = torch.device(device)
    if target.type != "cuda":
        return CPU_CHIPS
    try:
        run_batch(1)  # one-time allocations do not count
        one, two = (_allocated_bytes(run_batch, count, target) for count in (1, 2))
    except torch.OutOfMemoryError:
        return 1
    each = max(two - one, 1)
    fixed = max(one - each, 0)
    return fitting_batch(int((_free_bytes(target) * MEMORY_SHARE - fixed) // each))


def fitting_batch(chips: int) -> int:
    """The largest power of two that is not above `chips`, between 1 and MAX_CHIPS."""
    return 1 << (max(1, min(chips, MAX_CHIPS)).bit_length() - 1)


def _allocated_bytes(run_batch: Callable[[int], None], count: int, device: torch.device) -> int:
    """The rise in allocated bytes while the model runs on `count` chips."""
    cuda.synchronize(device)
    cuda.reset_peak_memory_stats(device)
    before = cuda.memory_allocated(device)
    run_batch(count)
    cuda.synchronize(device)
    return int(cuda.max_memory_allocated(device)) - int(before)


def _free_bytes(device: torch.device) -> int:
    """Free bytes of the device, including those that torch caches."""
    free, _ = cuda.mem_get_info(device)
    return int(free) + int(cuda.memory_reserved(device)) - int(cuda.memory_allocated(device))
