"""The memory of this process: kept from growing with the pictures that pass through it, and measured."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import cache

import psutil

LOOK_EVERY_S = 0.001

MMAP_THRESHOLD, TRIM_THRESHOLD, ARENAS = -3, -1, -8
"""Names of glibc's mallopt parameters (malloc.h)."""

LARGE_BYTES = 32 * 2**20
"""What is larger lives outside the heap and goes back to the system when freed; glibc takes no more.

The pictures of a block are smaller: taking those from the system anew each time, page by page,
would cost a third of what passes them through.
"""

KEPT_BYTES = 64 * 2**20
"""So much that is free may stay at the end of a heap."""

HEAPS = 2
"""All threads share so many. With one for each thread, what one has freed no other can use."""


@cache
def settle() -> None:
    """Have glibc use again what pictures took, whichever thread it was; nothing elsewhere.

    By itself it gives each thread a heap, in which the pictures of a block stay in pieces. Once per
    process.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(ARENAS, HEAPS)
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(TRIM_THRESHOLD, KEPT_BYTES)


def machine_bytes() -> int:
    """The memory of this machine."""
    return int(psutil.virtual_memory().total)


def resident_bytes() -> int:
    """What this process holds in memory by now."""
    return int(psutil.Process().memory_info().rss)


def rise_bytes(call: Callable[[], object]) -> int:
    """By how much the memory of this process rises, at most, while `call` runs."""
    before, ended, peak = resident_bytes(), threading.Event(), 0

    def watch() -> None:
        nonlocal peak
        while not ended.wait(LOOK_EVERY_S):
            peak = max(peak, resident_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        call()
    finally:
        ended.set()
        watcher.join()
    return max(0, peak - before, resident_bytes() - before)
