"""The metadata of each band."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
from makers import make_raster, noise
from odd_rasters import ODD, vrt

from geochange.errors import InputError, OptionError
from geochange.raster.band_metadata import BandInfo, common_dtype, nodata_in_dtype
from geochange.raster.bands import Bands, check_bands
from geochange.raster.reader import RasterInfo, inspect_raster


@pytest.mark.parametrize(
    ("nodata", "dtype", "expected"),
    [
        (None, "uint8", None),
        (0, "uint8", 0),
        (-9999, "uint8", None),
        (256, "uint8", None),
        (0.5, "uint8", None),
        (float("nan"), "uint8", None),
        (float("inf"), "int16", None),
        (-32768, "int16", -32768),
        (4294967295, "uint32", 4294967295),
        (-(2.0**63), "int64", -(2.0**63)),
        (0.1, "float32", float(np.float32(0.1))),
        (0.1, "float64", 0.1),
        (-3.40282347e38, "float32", float(np.finfo(np.float32).min)),
        (1e300, "float32", None),
        (float("-inf"), "float32", float("-inf")),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_nodata_value_is_what_the_type_holds(
    nodata: float | None, dtype: str, expected: float | None
) -> None:
    assert nodata_in_dtype(nodata, np.dtype(dtype)) == expected


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        (("uint8", "uint8"), "uint8"),
        (("uint8", "uint16"), "uint16"),
        (("uint16", "int16"), "int32"),
        (("uint8", "int8"), "int16"),
        (("uint16", "float32"), "float32"),
        (("int32", "float32"), "float64"),
        (("uint32", "int8"), "int64"),
    ],
)
def test_the_common_type_holds_all_numbers(dtypes: tuple[str, ...], expected: str) -> None:
    assert common_dtype([BandInfo(np.dtype(dtype)) for dtype in dtypes]) == expected


def described(name: str, folder: Path) -> RasterInfo:
    return inspect_raster(ODD[name](folder).path)


def test_bands_that_share_a_mask_say_so(tmp_path: Path) -> None:
    shared = described("mask inside", tmp_path)
    assert [band.mask for band in shared.bands] == [1, 1, 1]


@pytest.mark.parametrize("name", [".msk by band", "VRT with a mask in each band"])
def test_masks_by_band_are_told_apart(tmp_path: Path, name: str) -> None:
    assert [band.mask for band in described(name, tmp_path).bands] == [1, 2, 3]


def test_neither_nodata_nor_alpha_is_a_mask(tmp_path: Path) -> None:
    for place, name in enumerate(("uint8 nodata 0", "alpha last", "alpha and nodata")):
        (tmp_path / str(place)).mkdir()
        info = described(name, tmp_path / str(place))
        assert {band.mask for band in info.bands} == {None}


def test_data_bands_are_those_that_are_compared_by_default(tmp_path: Path) -> None:
    first = described("alpha first", tmp_path)
    assert (first.alpha, first.data_bands) == (1, (2, 3, 4))
    (tmp_path / "two").mkdir()
    two = described("two bands flagged as alpha", tmp_path / "two")
    assert (two.alpha, two.data_bands) == (4, (1, 2, 3))
    assert Bands.default(first, two, None) == Bands((2, 3, 4), (1, 2, 3))
    with pytest.raises(InputError, match="the model needs 4 and it has 3"):
        Bands.default(first, two, 4)
    check_bands(two, (5, 4))
    with pytest.raises(OptionError, match="has no band 6; it has 5"):
        check_bands(two, (6,))


@pytest.mark.parametrize(("second", "expected"), [((2, 4), (2, 4)), ((), ())])
def test_overviews_are_those_of_every_band(
    tmp_path: Path, second: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    pixels = noise((600, 600))  # GDAL reports none for smaller ones
    path = vrt(tmp_path, [(pixels, None), (pixels, None)])
    for name, levels in (("band1.tif", (2, 4)), ("band2.tif", second)):
        if levels:
            with rasterio.open(tmp_path / name, "r+") as raster:
                raster.build_overviews(levels)
    assert inspect_raster(path).overviews == expected


def test_what_a_band_says_is_small(tmp_path: Path) -> None:
    """400 bands are sent with every task."""
    many = inspect_raster(make_raster(tmp_path / "a.tif", noise((4, 5, 400)), nodata=0))
    assert len(pickle.dumps(many)) < 20_000
