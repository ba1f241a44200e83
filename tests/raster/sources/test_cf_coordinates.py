"""CF files on latitude and longitude: WGS 84 with a warning, and no other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from containers import LONLAT_UNITS, SHAPE, make_netcdf
from makers import LONLAT, make_raster, noise

from geochange.errors import InputError
from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.sources.resolve import inspect_source

SAID = "names no CRS; its axes are latitude and longitude, so WGS 84 is used"


@pytest.mark.parametrize(
    ("axes", "units"),
    [
        (("lat", "lon"), LONLAT_UNITS),
        (("y", "x"), ("degree_north", "degree_east")),
        (("lat", "lon"), ("degreesN", "degrees_E")),
        (("latitude", "longitude"), ("degrees", "degrees")),
    ],
)
def test_latitude_and_longitude_are_wgs_84_with_a_word(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    axes: tuple[str, str],
    units: tuple[str, str],
) -> None:
    standard = {"standard_name": ("latitude", "longitude")}
    path = make_netcdf(tmp_path / "a.nc", axes=axes, units=units, attributes=standard)
    info = inspect_source(path)
    assert info.grid.crs == LONLAT
    assert info.grid.transform @ (0.5, 0.5) == pytest.approx((9.0, 45.0))
    assert caplog.messages == [f"{path}: {SAID}"]


@pytest.mark.parametrize("first", [0.0, 200.0, 359.0])
def test_longitudes_may_count_to_360(tmp_path: Path, first: float) -> None:
    info = inspect_source(make_netcdf(tmp_path / "a.nc", first=(45.0, first)))
    x, y = info.grid.transform @ (0.5, 0.5)
    assert (x - first) % 360 == pytest.approx(0, abs=1e-6) and y == pytest.approx(45)


def test_a_pair_of_them_is_read_and_warped(tmp_path: Path) -> None:
    before = inspect_source(make_netcdf(tmp_path / "a.nc"))
    after = inspect_source(make_netcdf(tmp_path / "b.nc", first=(45.005, 9.005)))
    pair = align_pair(before, after, "before", Bands((1,), (1,)))
    for date in (pair.before, pair.after):
        with date.reader() as read:
            pixels, valid = read(pair.grid.full_window)
        assert valid.any() and np.isfinite(pixels[valid]).all()
    with pair.before.reader() as read:
        rows, cols = pair.grid.shape
        np.testing.assert_array_equal(
            read(pair.grid.full_window)[0][..., 0], noise(SHAPE)[:rows, -cols:]
        )


def test_one_goes_with_a_geotiff(tmp_path: Path) -> None:
    info = inspect_source(make_netcdf(tmp_path / "a.nc"))
    like = make_raster(tmp_path / "b.tif", noise(SHAPE), LONLAT, info.grid.transform)
    pair = align_pair(info, inspect_source(like), "before", Bands((1,), (1,)))
    assert pair.grid.shape == SHAPE and pair.after.offset_px == (0, 0)


@pytest.mark.parametrize(
    ("axes", "units", "first", "names"),
    [
        (
            ("y", "x"),
            ("m", "m"),
            (5e6, 4e5),
            ("projection_y_coordinate", "projection_x_coordinate"),
        ),
        (
            ("rlat", "rlon"),
            ("degrees", "degrees"),
            (45.0, 9.0),
            ("grid_latitude", "grid_longitude"),
        ),
        (("lat", "lon"), None, (45.0, 9.0), None),
        (("lat", "lon"), LONLAT_UNITS, (120.0, 9.0), None),
    ],
    ids=["projected", "rotated pole", "no units", "no latitude"],
)
def test_what_only_looks_like_it_is_not_guessed(
    tmp_path: Path,
    axes: tuple[str, str],
    units: tuple[str, str] | None,
    first: tuple[float, float],
    names: tuple[str, str] | None,
) -> None:
    attributes = {"standard_name": names} if names else None
    path = make_netcdf(tmp_path / "a.nc", ("red",), axes, units, first, attributes)
    with pytest.raises(InputError, match="has no georeference; give it a CRS"):
        inspect_source(path)
