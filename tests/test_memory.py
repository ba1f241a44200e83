"""The memory of this process is measured while a function runs."""

from __future__ import annotations

import mmap
import sys
import time

import pytest

from geochange.memory import peak_rise_bytes, resident_bytes, return_free_memory

MB = 2**20


def fill_for_a_moment() -> None:
    """Memory from the system: the heap may hold freed memory, which would hide a rise."""
    with mmap.mmap(-1, 64 * MB) as held:
        for _ in range(64):
            held.write(b"1" * MB)
        time.sleep(0.5)  # on a busy machine the measuring thread may have to wait


@pytest.mark.slow
def test_what_is_held_meanwhile_is_seen() -> None:
    assert 60 * MB < peak_rise_bytes(fill_for_a_moment) < 100 * MB


def test_nothing_is_nothing() -> None:
    assert peak_rise_bytes(lambda: None) < 8 * MB
    assert resident_bytes() > 10 * MB


def test_what_breaks_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        peak_rise_bytes(lambda: 1 // 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc keeps freed memory")
def test_freed_memory_below_what_is_in_use_is_returned() -> None:
    small = [bytearray(2**16) for _ in range(1024)]
    kept = bytearray(2**16)
    small.clear()
    before = resident_bytes()
    return_free_memory()
    assert resident_bytes() < before - 32 * MB
    assert len(kept) == 2**16
