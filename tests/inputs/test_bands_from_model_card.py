"""Bands of a card are found by name, or by number where a raster has no names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from makers import make_raster

from geochange.errors import InputError, OptionError
from geochange.inputs.bands_from_model_card import bands_by_card
from geochange.models.bands.input_bands import InputBands
from geochange.raster.bands import Bands
from geochange.raster.reader import RasterInfo, inspect_raster


def card(*names: str, numbers: tuple[int, ...] | None = None) -> InputBands:
    ones = (1.0,) * len(names)
    return InputBands(names, numbers or tuple(range(1, len(names) + 1)), ones, ones)


@pytest.fixture
def info(tmp_path: Path, request: pytest.FixtureRequest) -> RasterInfo:
    """A raster whose bands have the names of the parameter."""
    path = make_raster(tmp_path / "a.tif", np.ones((8, 8, len(request.param)), np.float32))
    with rasterio.open(path, "r+") as opened:
        opened.descriptions = request.param
    return inspect_raster(path)


@pytest.mark.parametrize(
    ("info", "wanted", "found"),
    [
        (("NIR", "red", "height"), card("red", "nir"), (2, 1)),
        ((None, None, None), card("red", "nir", numbers=(3, 1)), (3, 1)),
        (("red", None, None), card("red", "band 3", numbers=(1, 3)), (1, 3)),
        (("VV", "VV"), card("VV", "VV"), (1, 2)),
    ],
    indirect=["info"],
)
def test_bands_are_found(info: RasterInfo, wanted: InputBands, found: tuple[int, ...]) -> None:
    assert bands_by_card(info, info, None, wanted) == Bands(found, found)


@pytest.mark.parametrize(
    ("info", "wanted", "line"),
    [
        (("red", "green"), card("red", "nir", "height"), "lacks nir, height, of the bands red, nir"),
        (("red", "nir", "nir"), card("red", "nir"), "lacks nir.* it has red, nir, nir"),
        ((None, None), card("red", "nir", "green"), r"lacks green.* band 1, band 2.*--bands 1,2,3"),
        (("red", None), card("red", "band 4", numbers=(1, 4)), "lacks band 4"),
    ],
    indirect=["info"],
)  # fmt: skip
def test_bands_that_a_raster_lacks_are_named(
    info: RasterInfo, wanted: InputBands, line: str
) -> None:
    with pytest.raises(InputError, match=line):
        bands_by_card(info, info, None, wanted)


@pytest.mark.parametrize("info", [("a", "b", "c")], indirect=True)
def test_bands_that_a_user_names_are_taken(info: RasterInfo) -> None:
    wanted = card("red", "nir")
    assert bands_by_card(info, info, "3,1:1,2", wanted) == Bands((3, 1), (1, 2))
    with pytest.raises(OptionError, match="needs 2 bands, in this order: red, nir"):
        bands_by_card(info, info, "1,2,3", wanted)
