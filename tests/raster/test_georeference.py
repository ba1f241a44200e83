"""Rasters that lie nowhere are refused in one line with the cure, before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from makers import NORTH_UP, UTM, make_raster, noise
from pyproj import CRS

from geochange.cli.main import _exit_code
from geochange.errors import InputError
from geochange.raster.georeference import read_grid
from geochange.raster.reader import inspect_raster

NOWHERE = {
    # name: (EPSG code, transform, what is said)
    "pixels of 1e6 m": (32632, Affine(1e6, 0, 5e5, 0, -1e6, 5e6), "has pixels of 1,000 km"),
    "a northing of 1e9": (32632, Affine(10, 0, 5e5, 0, -10, 1e9), "no place on the Earth"),
    "latitudes of 120": (4326, Affine(0.1, 0, 9, 0, -0.1, 120), "latitude 115.2 to 120"),
    "metres called degrees": (4326, Affine(1, 0, 5e5, 0, -1, 5e6), "latitude"),
    "beyond the world": (3857, Affine(10, 0, 5e7, 0, -10, 5e6), "round the Earth"),
    "a turned one": (32632, Affine(10, 1e9, 5e5, -1e9, -10, 5e6), "has pixels of"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NOWHERE)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_raster_that_lies_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    code, transform, said = NOWHERE[name]
    pixels = noise((48, 48, 3))
    paths = [
        str(make_raster(tmp_path / f"{date}.tif", pixels, CRS.from_epsg(code), transform))
        for date in ("before", "after")
    ]
    more = ["--out", str(tmp_path / "out.gpkg"), "--model", "cva"] if command == "run" else []
    assert _exit_code([command, *paths, *more]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "before.tif: " in line and said in line and "gdal_edit" in line
    assert len(list(tmp_path.iterdir())) == 2


def test_the_cure_is_one(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise((8, 8)), CRS.from_epsg(4326), NORTH_UP)
    said = r"assign the true ones \(gdal_edit\.py -a_srs EPSG:CODE -a_ullr LEFT TOP RIGHT BOTTOM\)"
    with pytest.raises(InputError, match=said):
        inspect_raster(str(path))
    with rasterio.open(path, "r+") as raster:
        raster.crs = rasterio.crs.CRS.from_epsg(32632)
    assert inspect_raster(str(path)).grid.crs == UTM


def test_a_raster_far_from_the_use_of_its_crs_is_read_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    far = Affine(10, 0, 5_000_000, 0, -10, 5_000_000)
    info = inspect_raster(str(make_raster(tmp_path / "a.tif", np.ones((8, 8), np.uint8), UTM, far)))
    assert info.grid.transform == far
    assert "lies far from the area that its CRS" in caplog.text
    caplog.clear()
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert read_grid("a.tif", dataset).transform == far
    assert caplog.text == "", "a raster that geochange wrote itself is not warned of again"
