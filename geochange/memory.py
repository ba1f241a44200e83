"""The memory of this process: kept from growing with the pictures that pass through it, and measured."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import cache

import psutil

LOOK_EVERY_S = 0.001

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Names of glibc's mallopt parameters (malloc.h)."""

LARGE_BYTES = 5 * 2**20
"""What is larger lives outside the heap and goes back to the system when freed.

The pictures of a block are larger, one band of a batch of 16 tiles is not: taking those from the
system anew each time would cost a quarter of the run.
"""


@cache
def settle() -> None:
    """Have glibc return pictures when they are freed; once per process, nothing elsewhere.

    By itself glibc raises the size from which it does so to 32 MB as soon as one such array was
    freed, and keeps the pictures of every thread in pieces: half as much again as a run uses.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(TRIM_THRESHOLD, LARGE_BYTES)


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
