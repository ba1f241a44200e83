"""Where the machine says no: said as what it is, with the cure."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from failing_allocations import LIBRARIES, run_without_memory
from limited_process import call_limited

from geochange.cli.system_errors import MEMORY_CURE, out_of_memory_text, system_error_text


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_memory_that_a_library_does_not_get_is_said_as_such(library: str, tmp_path: Path) -> None:
    outcome = call_limited(run_without_memory, library, str(tmp_path), memory_mb=500)
    assert outcome.fault == "", outcome.fault
    code, out, said = outcome.value
    assert (code, out, said.count("\n")) == (1, "", 1), said
    assert said.startswith("geochange: out of memory ("), said
    assert MEMORY_CURE in said
    assert "the same command again" in said


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "std::bad_alloc",
        "malloc of size 8589934592 failed",
        "Unable to allocate 8.00 GiB for an array with shape (1073741824,) and data type float64",
        "tile.tif, band 1: IReadBlock failed at X offset 0: cannot allocate 3598080256 bytes",
        "could not create a primitive: not enough memory",
    ],
)
def test_words_of_libraries_for_want_of_memory(said: str) -> None:
    assert str(out_of_memory_text(RuntimeError(said))).startswith("out of memory (")
    behind = ValueError("of another kind")
    behind.__cause__ = RuntimeError(said)
    assert out_of_memory_text(behind) is not None


def test_other_faults_are_not_taken_for_it() -> None:
    assert out_of_memory_text(None) is None
    assert out_of_memory_text(RuntimeError("no such band")) is None
    damaged = 'TIFFReadDirectory:Out of memory reading of "BitsPerSample"'
    assert out_of_memory_text(RuntimeError(damaged)) is None
    hidden = ValueError("shown alone")
    hidden.__context__, hidden.__suppress_context__ = MemoryError(), True
    assert out_of_memory_text(hidden) is None


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "make room there"),
        (errno.EACCES, "change the access rights"),
        (errno.EMFILE, "allow more open files"),
        (errno.ELOOP, "remove the link"),
    ],
)
def test_what_the_system_says_of_a_place(number: int, cure: str) -> None:
    said = system_error_text(OSError(number, "It Says So", "a\nb.tif"))
    assert said is not None and "\n" not in said
    assert "it Says So; " in said and cure in said
    assert system_error_text(OSError(errno.EBADF, "x")) is None
