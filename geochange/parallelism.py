"""The cores of this process, and how sums are split over threads: their last bits depend on it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

MAX_THREADS = 8
"""The most threads for a short sum: more would take longer to start than to sum."""

SERIAL_VALUES = 2**14
"""Up to this many values, torch sums in the calling thread and in the processor's cache.

With more values, its threads wait in a loop and take the cores from other work.
"""

THREADS_VARIABLE = "OMP_NUM_THREADS"
"""The variable with which users limit the threads of numerical libraries, and workers get theirs."""

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells the limits of a container."""


@cache
def cpu_count() -> int:
    """The cores that this process may use: of the machine, of its affinity and of its container."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return max(1, math.ceil(min(cores, cgroup_cores(CGROUP))))


@cache
def core_count() -> int:
    """The threads that may compute at once in this process: `cpu_count`, or OMP_NUM_THREADS."""
    given = os.environ.get(THREADS_VARIABLE, "")
    return int(given) if given.isdecimal() and int(given) > 0 else cpu_count()


def cores_per_worker(workers: int) -> int:
    """The cores on which each of several processes computes; 0 workers is this process."""
    return max(1, core_count() // max(1, workers))


def cgroup_cores(folder: Path) -> float:
    """The cores that a container may use; infinite without a limit."""
    for quota, period in (
        ("cpu.max", None),
        ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"),
    ):
        try:
            words = (folder / quota).read_text().split()
            words += (folder / period).read_text().split() if period else []
            if int(words[0]) > 0 and int(words[1]) > 0:
                return int(words[0]) / int(words[1])
        except (OSError, ValueError, IndexError):  # no such file, or "max"
            continue
    return math.inf


def cgroup_bytes(folder: Path) -> float:
    """The memory that a container may use, in bytes; infinite without a limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            return int((folder / name).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return math.inf


def in_threads(function: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """The results of `function` for all items, in order. numpy works without the lock of Python."""
    threads = min(len(items), cpu_count(), MAX_THREADS)
    if threads < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
