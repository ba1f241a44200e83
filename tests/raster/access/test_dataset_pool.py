"""Rasters stay open for the run that reads them, and for no other run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from geochange.errors import InputError
from geochange.raster.access.dataset_pool import HandlePool


@pytest.fixture
def raster(tmp_path: Path) -> str:
    path = str(tmp_path / "a.tif")
    profile = {"driver": "GTiff", "height": 4, "width": 4, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:32632", **profile) as out:
        out.write(np.full((1, 4, 4), 7, np.uint8))
    return path


def test_a_raster_is_lent_again_to_the_same_run(raster: str) -> None:
    held = HandlePool()
    with held.borrow("one", raster) as first:
        assert first.read().max() == 7
    with held.borrow("one", raster) as again:
        assert again is first
    held.close()
    assert first.closed


def test_two_at_once_are_two_and_the_last_one_is_lent_first(raster: str) -> None:
    held = HandlePool()
    with held.borrow("one", raster) as first, held.borrow("one", raster) as second:
        assert first is not second
    with held.borrow("one", raster) as third:
        assert third is first  # it was returned last
    held.close()
    assert first.closed and second.closed


def test_another_run_never_sees_what_one_had_open(raster: str) -> None:
    held = HandlePool()
    with held.borrow("one", raster) as first:
        pass
    with held.borrow("two", raster) as other:
        assert other is not first
    assert first.closed
    with held.borrow("two", raster) as late, held.borrow("three", raster):
        pass
    assert late.closed  # returned after its run
    held.close()


def test_what_failed_is_not_lent_again(raster: str) -> None:
    held = HandlePool()
    with held.borrow("one", raster) as first:
        first.close()
    with held.borrow("one", raster) as second:
        assert second is not first and not second.closed
    held.close()


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="no such file"),
        HandlePool().borrow("one", f"{tmp_path}/b.tif"),
    ):
        pass
