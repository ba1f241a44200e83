"""The memory of this process: limits its growth with glibc settings, and measures it."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import cache

import psutil

from geochange.parallelism import CGROUP, cgroup_bytes

SAMPLE_INTERVAL_S = 0.001

MMAP_THRESHOLD, TRIM_THRESHOLD, ARENAS = -3, -1, -8
"""Numbers of glibc's mallopt parameters (malloc.h)."""

LARGE_BYTES = 32 * 2**20
"""Larger arrays get their own memory mapping and return to the system when freed. This is the
largest value that glibc accepts.

The arrays of a block are smaller. Mapping them anew, page by page, would take a third as long as
processing them.
"""

TRIM_BYTES = 64 * 2**20
"""The free memory that may stay at the end of a heap."""

MALLOC_ARENAS = 2
"""The number of heaps for all threads. With one heap per thread, freed memory cannot be shared."""


@cache
def limit_malloc_growth() -> None:
    """Let glibc reuse memory that any thread has freed. It does nothing with other C libraries.

    By default each thread has its own heap, which keeps freed memory of a block. Call it once per
    process.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(ARENAS, MALLOC_ARENAS)
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(TRIM_THRESHOLD, TRIM_BYTES)


def return_free_memory() -> None:
    """Return freed memory to the system. It does nothing with other C libraries than glibc.

    glibc by itself returns only what lies at the end of a heap. Call it between stages of a run, which
    need arrays of other sizes.
    """
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def machine_bytes() -> int:
    """The memory of this machine, or of the container in which it runs, in bytes."""
    return int(min(psutil.virtual_memory().total, cgroup_bytes(CGROUP)))


def resident_bytes() -> int:
    """The memory that this process uses now, in bytes."""
    return int(psutil.Process().memory_info().rss)


def peak_rise_bytes(call: Callable[[], object]) -> int:
    """The largest rise of this process's memory while `call` runs, in bytes."""
    before, ended, peak = resident_bytes(), threading.Event(), 0

    def watch() -> None:
        nonlocal peak
        while not ended.wait(SAMPLE_INTERVAL_S):
            peak = max(peak, resident_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        call()
    finally:
        ended.set()
        watcher.join()
    return max(0, peak - before, resident_bytes() - before)
