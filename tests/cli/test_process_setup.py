"""What libraries print by themselves does not reach the screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
