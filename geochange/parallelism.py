"""How work and sums are split over threads. The last bits of a sum depend on it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

SERIAL_VALUES = 2**14
"""Up to this many values, torch sums in the calling thread and in the processor's cache.

With more values, its threads wait in a loop and take the cores from other work.
"""

THREADS_VARIABLE = "OMP_NUM_THREADS"
"""The variable with which users limit the threads of numerical libraries."""

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The share of the machine's time that a container may take: microseconds, and of how many."""


@cache
def core_count() -> int:
    """The threads that may compute at once in this process, without asking torch."""
    given = os.environ.get(THREADS_VARIABLE, "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, _quota(cores)))


def _quota(cores: int) -> int:
    try:
        allowed, period = QUOTA.read_text("ascii").split()
        return cores if allowed == "max" else -(-int(allowed) // int(period))
    except (OSError, ValueError):
        return cores
