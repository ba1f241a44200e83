"""Fixtures of several test files: a small pair of rasters that differ in one square."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from makers import make_raster, noise

# What each test writes is small and soon deleted: SQLite need not wait for the disk.
os.environ.setdefault("OGR_SQLITE_SYNCHRONOUS", "OFF")
if "PYTEST_XDIST_WORKER" in os.environ:
    # One process per core: threads of torch would wait for those of other tests, spinning.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# pytest rewrites asserts, which takes five seconds a worker. The next start reads them from files.
sys.dont_write_bytecode = False

SLOW_FILE = re.compile(r"^pytestmark = .*\bpytest\.mark\.slow\b", re.MULTILINE)

LONG_TESTS = (
    *("test_in_qgis.py", "test_several_machines.py", "test_train.py", "test_slurm.py"),
    *("test_crashes.py", "test_remote.py", "test_signals.py", "test_documented_commands.py"),
)
"""Files whose single tests take longest, most of it waiting in some."""

# A shell that starts the tests in the background makes all their processes ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
# nohup makes them ignore SIGHUP in the same way.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_report_header() -> list[str]:
    """The versions of what is not written in Python, for a log to explain itself."""
    import pyogrio
    import pyproj
    import rasterio
    import shapely

    return [
        f"GDAL {rasterio.__gdal_version__} (rasterio {rasterio.__version__}), "
        f"{'.'.join(map(str, pyogrio.__gdal_version__))} (pyogrio {pyogrio.__version__})",
        f"PROJ {pyproj.proj_version_str}, GEOS {shapely.geos_version_string}, "
        f"torch {version('torch')}, {os.cpu_count()} cores",
    ]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without slow tests, leaves out the files that have no others: reading them takes seconds."""
    if config.option.markexpr != "not slow" or not collection_path.match("test_*.py"):
        return None
    return SLOW_FILE.search(collection_path.read_text("utf-8")) is not None or None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest tests first: as the last one, each would leave the other worker idle."""
    items.sort(key=lambda item: item.path.name not in LONG_TESTS)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is imported stays. So Python need not look through it for garbage after every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_pauses() -> Iterator[None]:
    """A raster that cannot be read is tried again at once: what is damaged here stays so."""
    from geochange.raster.access import retry

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(retry, "sleep", lambda _: None)
        yield


@pytest.fixture
def forked_workers() -> Iterator[None]:
    """Dask's worker processes fork from one that has imported torch, which saves seconds."""
    import dask
    import distributed  # noqa: F401 - imported inside, its own settings would go with this one
    from forked import server

    server()
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield


@pytest.fixture
def pair_paths(tmp_path: Path) -> tuple[Path, Path]:
    """before.tif and after.tif, (20, 30, 3) uint8 on one grid; rows 5-9, columns 8-13 changed."""
    before = noise((20, 30, 3))
    after = before.copy()
    after[5:10, 8:14] = 255 - after[5:10, 8:14]
    assert not np.array_equal(before, after)
    return (
        make_raster(tmp_path / "before.tif", before),
        make_raster(tmp_path / "after.tif", after),
    )
