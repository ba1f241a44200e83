"""Root without the right to pass over access rights, as every other user is."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_VERSION_3 = 0x20080522
_OVERRIDES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        *(("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32)),
        ("inheritable", ctypes.c_uint32),
    )


def bound_by_access_rights(work: Callable[[], T]) -> T:
    """The answer of `work`, which runs in a thread that heeds access rights, even as root.

    Linux keeps capabilities by thread, and threads inherit them. What a thread gave up, it never gets
    back, so it is a new one. Raises what `work` raises.
    """
    with ThreadPoolExecutor(1, initializer=_give_up) as thread:
        return thread.submit(work).result()


def _give_up() -> None:
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    _check(libc.capget(ctypes.byref(header), sets))
    for name in ("effective", "permitted"):
        setattr(sets[0], name, getattr(sets[0], name) & ~_OVERRIDES)
    _check(libc.capset(ctypes.byref(header), sets))


def _check(answer: int) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), "capabilities of this thread")
