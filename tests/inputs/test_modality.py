"""Light and radar are told apart by what rasters say of themselves, and never compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from makers import NORTH_UP, make_raster

from geochange.config import PairOptions
from geochange.errors import InputError
from geochange.inputs.modality import modality_of
from geochange.inputs.open_pair import open_pair
from geochange.raster.reader import inspect_raster


def raster(folder: Path, name: str, *bands: str | None, dtype: str = "float32") -> Path:
    path = make_raster(folder / name, np.ones((8, 8, len(bands)), dtype))
    with rasterio.open(path, "r+") as opened:
        opened.descriptions = bands
    return path


@pytest.mark.parametrize(
    ("name", "bands", "kind"),
    [
        ("a.tif", ("VV", "VH"), "radar"),
        ("a.tif", ("Sigma0_VV_db",), "radar"),
        ("a.tif", ("hh",), "radar"),
        ("a.tif", ("red", "green", "blue"), "optical"),
        ("a.tif", ("B04 (665 nm)", "B8A"), "optical"),
        ("a.tif", ("NIR", "VV"), None),
        ("a.tif", (None, None), None),
        ("a.tif", ("height", "revised"), None),
        ("S1A_IW_GRDH_1SDV_20240101T000000.tif", (None,), "radar"),
        ("S2B_MSIL2A_20240101.tif", (None, None), "optical"),
        ("S2B_MSIL2A_20240101.tif", ("VV", None), "radar"),
    ],
)
def test_what_a_raster_shows(
    tmp_path: Path, name: str, bands: tuple[str | None, ...], kind: str | None
) -> None:
    assert modality_of(inspect_raster(raster(tmp_path, name, *bands))) == kind


def test_colours_of_the_format_name_bands_too(tmp_path: Path) -> None:
    path = tmp_path / "rgb.tif"
    profile = {"photometric": "rgb", "dtype": "uint8", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", "GTiff", 8, 8, 3, transform=NORTH_UP, **profile) as opened:
        opened.write(np.ones((3, 8, 8), np.uint8))
    info = inspect_raster(path)
    assert [band.name for band in info.bands] == ["red", "green", "blue"]
    assert modality_of(info) == "optical"


@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_of_both_is_refused_with_the_reason_and_the_cure(
    tmp_path: Path, turned: bool
) -> None:
    pair = [raster(tmp_path, "o.tif", "red", "nir"), raster(tmp_path, "r.tif", "VV", "VH")]
    with pytest.raises(InputError) as caught:
        open_pair(*(pair[::-1] if turned else pair), PairOptions())
    told = str(caught.value)
    assert "o.tif shows reflected light (red, nir)" in told
    assert "r.tif the backscatter of a radar (VV, VH)" in told
    assert "give two dates of one kind" in told and "\n" not in told
    open_pair(pair[1], pair[1], PairOptions())
