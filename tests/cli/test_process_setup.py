"""What libraries print by themselves does not reach the screen."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
from affine import Affine

pytestmark = pytest.mark.slow


def test_words_of_gdal_in_other_bytes_than_utf8_are_one_line(tmp_path: Path) -> None:
    """rasterio prints an error of its own of each before it raises what GDAL said."""
    (tmp_path / "a.vrt").write_bytes(b'<VRTDataset rasterXSize="6" rasterYSize="4"><\xbe\xff/VRT')
    told = subprocess.run(
        [sys.executable, "-m", "geochange", "check", "a.vrt", "a.vrt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 2
    assert told.stderr.splitlines() == [
        f"geochange: {tmp_path}/a.vrt: not a raster GDAL can read; give a GeoTIFF or another "
        "georeferenced raster"
    ]


def geo_key(key: int, value: int) -> bytes:
    """A key of a GeoTIFF whose value stands in the directory of keys itself."""
    return struct.pack("<4H", key, 0, 1, value)


def test_words_of_proj_about_unknown_units_are_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "units.tif"
    shape = {"width": 4, "height": 4, "count": 1, "dtype": "uint8"}
    corner = Affine(1, 0, 500_000, 0, -1, 5_000_000)
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32632", transform=corner, **shape):
        pass
    angular_unit, projected_crs, projection = 2054, 3072, 3074
    damaged = path.read_bytes()
    for known, odd in (
        (geo_key(angular_unit, 9102), geo_key(angular_unit, 142)),
        (geo_key(projected_crs, 32632), geo_key(projection, 32632)),
    ):
        assert damaged.count(known) == 1
        damaged = damaged.replace(known, odd)
    path.write_bytes(damaged)
    opening = (
        "from geochange.cli.process_setup import prepare; prepare(); import rasterio; "
        f"print(rasterio.open({str(path)!r}).crs.is_projected)"
    )
    told = subprocess.run([sys.executable, "-c", opening], capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")


def test_only_missing_georeferences_of_inner_files_are_not_told() -> None:
    said = (
        "from geochange.cli.process_setup import prepare; prepare(); import warnings; "
        "from rasterio.errors import NotGeoreferencedWarning; "
        "warnings.warn('no geotransform', NotGeoreferencedWarning); warnings.warn('told')"
    )
    told = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "WARNING told\n")
