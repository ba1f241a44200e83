"""Allocations that fail, each by the library that makes it, in a process that may take little."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np

TOO_MANY_BYTES = 2**36
"""Bytes, 64 GB: more than any limit of a test."""


def _python() -> None:
    bytearray(TOO_MANY_BYTES)


def _numpy() -> None:
    np.ones(TOO_MANY_BYTES // 8)


def _torch() -> None:
    import torch

    torch.empty(TOO_MANY_BYTES // 4)


def _gdal() -> None:
    """GDAL unpacks a whole tile, however small the part that is wanted."""
    import rasterio
    from hostile_rasters import sparse
    from rasterio.windows import Window

    path = Path("tile.tif")
    sparse(path, 60_000, 59_984, bands=1)
    with rasterio.open(path) as raster:
        raster.read(1, window=Window(0, 0, 1, 1), fill_value=0)


def _sqlite() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t(x)")
    for _ in range(100):
        database.execute("INSERT INTO t VALUES (zeroblob(100000000))")


def _system() -> None:
    import mmap

    mmap.mmap(-1, TOO_MANY_BYTES)


def _threads() -> None:
    import threading

    threading.stack_size(2**30)
    threading.Thread(target=os.getpid).start()


LIBRARIES: dict[str, Callable[[], None]] = {
    "Python": _python,
    "numpy": _numpy,
    "torch": _torch,
    "GDAL": _gdal,
    "SQLite": _sqlite,
    "the system": _system,
    "threads": _threads,
}
"""By name, what asks for more than there is."""


def run_without_memory(library: str, folder: str) -> tuple[int, str, str]:
    """Exit code, output and messages of a run in which this library gets no memory."""
    from limited_process import command

    from geochange.cli.commands import run

    def fail(*_: object) -> None:
        LIBRARIES[library]()
        raise AssertionError(f"{library} got the memory")

    os.chdir(folder)
    usual, run.check_run = run.check_run, fail  # type: ignore[assignment]
    try:
        return command("run", "a.tif", "b.tif", "--out", "c.gpkg", "--quiet")
    finally:
        run.check_run = usual
