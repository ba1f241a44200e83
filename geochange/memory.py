"""The heap of this process, kept from growing with the number of pictures that passed through it."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

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
