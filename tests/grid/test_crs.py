"""Where coordinates come round to the same ground, and the middle of the world among them."""

from __future__ import annotations

import pytest
from pyproj import CRS

from geochange.grid.crs import central_x, full_turn, with_central_meridian_moved

WORLD_M = 2 * 20_037_508.342789244


@pytest.mark.parametrize(
    ("crs", "turn"),
    [
        ("EPSG:4326", 360),
        ("EPSG:4807", 400),
        ("EPSG:3857", WORLD_M),
        ("EPSG:3832", WORLD_M),
        ("EPSG:32633", None),
        ("EPSG:3413", None),
        ("EPSG:3035", None),
        ("ESRI:54009", None),
    ],
)
def test_the_full_turn_of_a_crs(crs: str, turn: float | None) -> None:
    assert full_turn(CRS.from_user_input(crs)) == (turn and pytest.approx(turn, rel=1e-12))


@pytest.mark.parametrize(("crs", "x"), [("EPSG:4326", 0), ("EPSG:3857", 0), ("EPSG:5641", 5e6)])
def test_the_middle_of_the_world(crs: str, x: float) -> None:
    assert central_x(CRS.from_user_input(crs)) == x


def test_what_cannot_be_turned() -> None:
    rotated = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +ellps=WGS84"
    assert with_central_meridian_moved(CRS.from_user_input(rotated), 90.0) is None
