"""Memory of blocks: files of a virtual raster are looked at without a word about their georeference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

from geochange.raster.access.block_memory import reading_bytes
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS


@pytest.mark.filterwarnings("error::rasterio.errors.NotGeoreferencedWarning")
def test_files_of_a_virtual_raster_need_no_georeference(tmp_path: Path) -> None:
    part, whole = tmp_path / "part.tif", tmp_path / "whole.vrt"
    shape = {"height": 8, "width": 8, "count": 1, "dtype": "uint16"}
    with IGNORE_GEOREFERENCE_WARNINGS:
        with rasterio.open(part, "w", driver="GTiff", **shape) as raster:
            raster.write(np.ones((1, 8, 8), np.uint16))
        copy(part, whole, driver="VRT")
        dataset = rasterio.open(whole)
    with dataset:
        assert reading_bytes(dataset) == 8 * 8 * 2
