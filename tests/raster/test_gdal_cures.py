"""Cures that change metadata: gdal_edit.py where the driver can, else a VRT, which always can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from makers import NORTH_UP, UTM, make_raster, noise

from geochange.errors import InputError
from geochange.inputs.inspection import inspect_scene
from geochange.raster.bands import Bands
from geochange.raster.gdal_cures import edit_command
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.sampling import SceneSample

VRT = "gdal_translate -of VRT -a_nodata 0 IN OUT.vrt, then name OUT.vrt"


@pytest.mark.parametrize(
    ("path", "driver", "command"),
    [
        ("a.tif", "GTiff", "gdal_edit.py -a_nodata 0"),
        ("a.img", "HFA", "gdal_edit.py -a_nodata 0"),
        ("a.jpg", "JPEG", VRT),
        ("a.png", "PNG", VRT),
        ("a.jp2", "JP2OpenJPEG", VRT),
        ("SENTINEL2_L2A:A.SAFE/MTD_MSIL2A.xml:10m:EPSG_32630", "SENTINEL2", VRT),
        ("/vsizip/a.zip/a.tif", "GTiff", VRT),
        ("https://host/a.tif", "GTiff", VRT),
    ],
)
def test_a_command_fits_the_driver(path: str, driver: str, command: str) -> None:
    assert edit_command(path, driver, "-a_nodata 0") == command


@pytest.mark.parametrize(("suffix", "driver"), [("jpg", "JPEG"), ("png", "PNG")])
def test_a_picture_without_georeference_gets_one_in_a_vrt(
    tmp_path: Path, suffix: str, driver: str
) -> None:
    path = make_raster(tmp_path / f"a.{suffix}", noise((8, 9, 3)), None, driver=driver)
    said = r"gdal_translate -of VRT -a_srs EPSG:CODE -a_ullr LEFT TOP RIGHT BOTTOM IN OUT\.vrt"
    with pytest.raises(InputError, match=said):
        inspect_raster(path)
    rasterio.shutil.copy(path, tmp_path / "a.vrt", driver="VRT")  # the cure
    with rasterio.open(tmp_path / "a.vrt", "r+") as raster:
        raster.crs, raster.transform = rasterio.crs.CRS.from_wkt(UTM.to_wkt()), NORTH_UP
    assert inspect_raster(tmp_path / "a.vrt").grid.transform == NORTH_UP


def test_a_fill_of_a_stack_is_declared_as_its_files_can(tmp_path: Path) -> None:
    for number in (1, 2):
        pixels = np.maximum(noise((96, 96), number), 60)
        pixels[50:80, 10:40] = 0
        make_raster(tmp_path / f"{number}.png", pixels, driver="PNG")
    info = inspect_raster(f"{tmp_path}/1.png + {tmp_path}/2.png")
    sample = SceneSample(align_pair(info, info, "before", Bands((1, 2), (1, 2))))
    assert {fill.cure for fill in sample.fills} == {VRT}
    assert all(VRT in line for line in inspect_scene(sample).warnings if " hold 0 " in line)
