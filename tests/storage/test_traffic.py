"""Bytes and retries are counted for the task that caused them, in whatever thread they happen."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from makers import make_raster, noise
from rasterio.errors import RasterioIOError

from geochange.grid.tiling import TilePlan, Window
from geochange.mosaic.stores import ProbabilityStore
from geochange.raster.access import retry
from geochange.raster.pixel_reader import read_window
from geochange.raster.reader import inspect_raster, opened
from geochange.storage.local import LocalWork
from geochange.storage.traffic import Traffic, count, counting

PLAN = TilePlan((64, 64), tile_px=32, overlap_px=0, block_tiles=2)


def test_values_of_the_work_count_with_their_bytes(tmp_path: Path) -> None:
    work = LocalWork(tmp_path)
    with counting() as counter:
        work.write("a", b"12345")
        work.write("b", memoryview(np.zeros(3, np.uint16)).cast("B"))
        assert work.read("a") == b"12345"
        assert work.read("absent") is None
    assert counter.total == Traffic(work_read_bytes=5, work_written_bytes=11)


def test_what_zarr_does_in_its_own_threads_counts_for_the_caller(tmp_path: Path) -> None:
    store = ProbabilityStore(LocalWork(tmp_path), PLAN)
    store.array.create()
    with counting() as other, counting() as counter:
        store.put((0, 0), np.ones((64, 64), np.uint8))
        store.get(Window(0, 0, 64, 64))
    chunk = 64 * 64 + 4  # with its checksum
    assert counter.total == Traffic(work_read_bytes=chunk, work_written_bytes=chunk)
    assert other.total == Traffic()


def test_pixels_of_the_inputs_count_uncompressed(tmp_path: Path) -> None:
    file = make_raster(tmp_path / "a.tif", noise((40, 50, 3)), compress="deflate")
    info = inspect_raster(file)
    with opened(str(file)) as dataset, counting() as counter:
        read_window(dataset, info, (1, 2), Window(3, 4, 10, 20))
    assert counter.total == Traffic(input_bytes=10 * 20 * 2)


@pytest.mark.slow
def test_each_repeated_read_is_a_retry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = make_raster(tmp_path / "a.tif", noise((40, 50, 3)))
    tries = []

    def read(dataset: object) -> str:
        tries.append(dataset)
        if len(tries) < 3:
            raise RasterioIOError("busy")
        return "read"

    with retry.Handle(lambda: opened(str(file))) as handle, counting() as counter:
        assert retry.retry_read(handle, read, (0, 0, 0)) == "read"
    assert counter.total == Traffic(retries=2)


def test_threads_count_together_and_tasks_apart() -> None:
    totals = []

    def task(times: int) -> None:
        with counting() as counter:
            for _ in range(times):
                count(Traffic(1, 2, 3, 4))
            totals.append(counter.total)

    threads = [threading.Thread(target=task, args=(times,)) for times in (1, 3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert totals == [Traffic(1, 2, 3, 4), Traffic(3, 6, 9, 12)]
    count(Traffic(retries=1))  # nobody counts
