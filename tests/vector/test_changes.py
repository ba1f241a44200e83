"""From regions to the table of changes: attributes, minimum area and order."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from makers import NORTH_UP, UTM
from numpy.typing import NDArray
from region_files import blobs, region_file_of

from geochange.grid.grid import Grid
from geochange.grid.probability_bytes import NODATA
from geochange.vector.changes import MIN_AREA_PX, ChangeTotals, to_changes
from geochange.vector.files.layers import concatenate_batches
from geochange.vector.files.writers import COLUMNS
from geochange.vector.generalization.outline_style import OutlineStyle
from geochange.vector.tracing import region_file

SHAPE = (30, 40)
GRID = Grid(UTM, NORTH_UP, SHAPE)


def scene() -> NDArray[np.uint8]:
    """A 5 x 6 change at the edge, one of 4 x 4, one of 3 x 5 beside missing pixels, and a speck."""
    raster = np.zeros(SHAPE, np.uint8)
    raster[0:5, 0:6] = 254
    raster[10:14, 20:24] = 127
    raster[10, 20] = 200
    raster[20:23, 30:35] = 254
    raster[20:23, 35] = NODATA
    raster[28, 20] = 254
    return raster


def changes_of(
    raster: NDArray[np.uint8], simplify_px: float, min_area_m2: float | None
) -> gpd.GeoDataFrame:
    return concatenate_batches(
        to_changes(region_file_of(raster), GRID, OutlineStyle(simplify_px), min_area_m2)
    )


def test_attributes_are_those_of_the_pixels() -> None:
    changes = changes_of(scene(), simplify_px=0, min_area_m2=0)
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
    changes = changes_of(scene(), simplify_px=0, min_area_m2=0)
    assert changes.crs == UTM
    assert changes.geometry[1].bounds == (500_200, 4_999_860, 500_240, 4_999_900)


def test_specks_are_left_out_and_ids_have_no_gaps() -> None:
    changes = changes_of(scene(), simplify_px=0, min_area_m2=None)
    assert changes["id"].tolist() == [1, 2]
    assert changes.geometry.area.tolist() == [30 * 100, MIN_AREA_PX * 100]


@pytest.mark.parametrize(("smallest", "count"), [(0, 4), (101, 3), (1501, 3), (1602, 1), (4000, 0)])
def test_the_smallest_area_is_in_square_metres(smallest: float, count: int) -> None:
    assert len(changes_of(scene(), 0, smallest)) == count


def test_exactly_the_smallest_area_is_kept() -> None:
    exact = changes_of(scene(), 0, 0)["area_m2"].min()
    assert len(changes_of(scene(), 0, exact)) == 4


def test_nothing_changed_is_an_empty_table_with_all_columns() -> None:
    changes = changes_of(np.zeros(SHAPE, np.uint8), 0.5, None)
    assert len(changes) == 0
    assert {name: str(changes[name].dtype) for name in COLUMNS} == dict(COLUMNS)
    assert changes.crs == UTM


def test_area_is_that_of_the_outline_that_is_written() -> None:
    raster = np.zeros(SHAPE, np.uint8)
    raster[np.tril_indices(20)] = 254
    stairs, smooth = (changes_of(raster, px, 0) for px in (0, 0.5))
    assert not shapely.equals(stairs.geometry[0], smooth.geometry[0])
    ratio = smooth["area_m2"][0] / stairs["area_m2"][0]
    assert ratio == pytest.approx(smooth.geometry[0].area / stairs.geometry[0].area, rel=1e-7)
    assert smooth["perimeter_m"][0] < stairs["perimeter_m"][0] * 0.9


@pytest.mark.slow
@pytest.mark.parametrize("simplify_px", [0, 0.3, 0.5, 1.5, 4])
@pytest.mark.parametrize("batch", [1, 3, 50])
def test_blocks_and_batches_leave_no_trace(
    simplify_px: float, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raster = blobs(3, 120).astype(np.uint8) * 254
    grid = Grid(UTM, NORTH_UP, raster.shape)
    expected = concatenate_batches(
        to_changes(region_file_of(raster), grid, OutlineStyle(simplify_px), 400)
    )
    monkeypatch.setattr(region_file, "BATCH_REGIONS", batch)
    shelf = region_file_of(raster, (31, 17), order=2)
    tables = list(to_changes(shelf, grid, OutlineStyle(simplify_px), 400))
    assert len(expected) > 3 and max(map(len, tables)) <= batch
    found = concatenate_batches(tables)
    pd.testing.assert_frame_equal(
        pd.DataFrame(found.drop(columns="geometry")),
        pd.DataFrame(expected.drop(columns="geometry")),
        check_exact=True,
    )
    assert found.geometry.to_wkb().tolist() == expected.geometry.to_wkb().tolist()


def test_a_tally_counts_what_passes_through() -> None:
    tally = ChangeTotals()
    (table,) = [
        t for t in tally.of(to_changes(region_file_of(scene()), GRID, OutlineStyle(0), 0)) if len(t)
    ]
    assert tally == ChangeTotals(4, pytest.approx(table["area_m2"].sum()))
