"""A probability raster is looked at before a block of it is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from hostile_rasters import sparse

from geochange.errors import InputError
from geochange.raster.output.earlier_probability import ProbabilityRaster
from geochange.raster.reader import PROBABILITY_BAND


def test_blocks_of_gigabytes_are_refused(tmp_path: Path) -> None:
    path = sparse(tmp_path / "c.tif", side=60_000, tile=59_984, bands=1)
    with rasterio.open(path, "r+") as raster:
        raster.set_band_description(1, PROBABILITY_BAND)
    with pytest.raises(InputError, match="blocks of 59,984 x 59,984 px"):
        ProbabilityRaster.of(str(path))
