"""From regions to the table that users open: attributes, the smallest area, the order."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from makers import NORTH_UP, UTM
from numpy.typing import NDArray

from geochange.geo.changes import SPECK_PX, to_changes
from geochange.geo.grid import Grid
from geochange.geo.polygons import Joiner, Regions, trace
from geochange.geo.probability import NODATA
from geochange.geo.tiling import Window
from geochange.geo.vector import COLUMNS

SHAPE = (30, 40)
GRID = Grid(UTM, NORTH_UP, SHAPE)


def scene() -> NDArray[np.uint8]:
    """A 5 x 6 change at the edge, one of 4 x 4, one of 3 x 5 beside missing pixels, a speck."""
    raster = np.zeros(SHAPE, np.uint8)
    raster[0:5, 0:6] = 254
    raster[10:14, 20:24] = 127
    raster[10, 20] = 200
    raster[20:23, 30:35] = 254
    raster[20:23, 35] = NODATA
    raster[28, 20] = 254
    return raster


def regions(raster: NDArray[np.uint8]) -> Regions:
    joiner = Joiner(SHAPE)
    joiner.add(trace(raster, Window(0, 0, *SHAPE), 127, SHAPE[1]))
    return joiner.finish()


def test_attributes_are_those_of_the_pixels() -> None:
    changes = to_changes(regions(scene()), GRID, simplify_px=0, min_area_m2=0)
    assert {name: str(changes[name].dtype) for name in COLUMNS} == dict(COLUMNS)
    assert changes["id"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(
        changes["area_m2"], np.array([30, 16, 15, 1]) * 100 / 0.9996**2, 1e-6
    )
    np.testing.assert_allclose(
        changes["perimeter_m"], np.array([22, 16, 16, 4]) * 10 / 0.9996, 1e-6
    )
    np.testing.assert_allclose(
        changes["confidence_mean"], [1, (15 * 127 + 200) / 16 / 254, 1, 1], rtol=1e-12
    )
    np.testing.assert_allclose(changes["confidence_max"], [1, 200 / 254, 1, 1], rtol=1e-12)
    assert changes["touches_edge"].tolist() == [True, False, True, False]


def test_polygons_lie_on_the_ground() -> None:
    changes = to_changes(regions(scene()), GRID, simplify_px=0, min_area_m2=0)
    assert changes.crs == UTM
    assert changes.geometry[1].bounds == (500_200, 4_999_860, 500_240, 4_999_900)


def test_specks_are_left_out_and_ids_have_no_gaps() -> None:
    changes = to_changes(regions(scene()), GRID, simplify_px=0, min_area_m2=None)
    assert changes["id"].tolist() == [1, 2]
    assert changes.geometry.area.tolist() == [30 * 100, SPECK_PX * 100]


@pytest.mark.parametrize(("smallest", "count"), [(0, 4), (101, 3), (1501, 3), (1602, 1), (4000, 0)])
def test_the_smallest_area_is_in_square_metres(smallest: float, count: int) -> None:
    assert len(to_changes(regions(scene()), GRID, 0, smallest)) == count


def test_exactly_the_smallest_area_is_kept() -> None:
    exact = to_changes(regions(scene()), GRID, 0, 0)["area_m2"].min()
    assert len(to_changes(regions(scene()), GRID, 0, exact)) == 4


def test_nothing_changed_is_an_empty_table_with_all_columns() -> None:
    changes = to_changes(regions(np.zeros(SHAPE, np.uint8)), GRID, 0.5, None)
    assert len(changes) == 0
    assert {name: str(changes[name].dtype) for name in COLUMNS} == dict(COLUMNS)
    assert changes.crs == UTM


def test_area_is_that_of_the_outline_that_is_written() -> None:
    raster = np.zeros(SHAPE, np.uint8)
    raster[np.tril_indices(20)] = 254
    stairs, smooth = (to_changes(regions(raster), GRID, px, 0) for px in (0, 0.5))
    assert not shapely.equals(stairs.geometry[0], smooth.geometry[0])
    ratio = smooth["area_m2"][0] / stairs["area_m2"][0]
    assert ratio == pytest.approx(smooth.geometry[0].area / stairs.geometry[0].area, rel=1e-7)
    assert smooth["perimeter_m"][0] < stairs["perimeter_m"][0] * 0.9
