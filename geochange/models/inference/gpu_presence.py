"""Whether this machine may have a GPU, without torch, whose loading takes seconds."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
"""The library of NVIDIA's driver, which every CUDA build of torch loads."""

AMD = Path("/dev/kfd")
"""The device of AMD's driver."""


@cache
def may_have_gpu() -> bool:
    """False where torch finds no GPU for certain. True says that torch has to be asked."""
    if AMD.exists():
        return True
    driver = DRIVERS.get(sys.platform)
    if driver is None:
        return False
    try:
        ctypes.CDLL(driver)
    except OSError:
        return False
    return True
