"""Coverage: exact in a small raster, by cells in a large one, and equal for any blocks."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from makers import NORTH_UP, UTM
from numpy.typing import NDArray
from region_files import blobs

from geochange.grid.grid import Grid
from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import Window
from geochange.vector.tracing import coverage
from geochange.vector.tracing.coverage import Coverage

SHAPE = (61, 83)


def seen_by(valid: NDArray[np.bool_], block: tuple[int, int]) -> Coverage:
    """The coverage of a raster from blocks, the last block first."""
    found = Coverage(Grid(UTM, NORTH_UP, valid.shape))
    probability = np.where(valid, 7, NODATA).astype(np.uint8)
    height, width = valid.shape
    for row in reversed(range(0, height, block[0])):
        for col in range(0, width, block[1]):
            window = Window(row, col, min(block[0], height - row), min(block[1], width - col))
            found.add(window, probability[window.within(Window(0, 0, height, width))])
    return found


def ground(row: int, col: int, row_stop: int, col_stop: int) -> shapely.Polygon:
    (west, north), (east, south) = NORTH_UP @ (col, row), NORTH_UP @ (col_stop, row_stop)
    return shapely.box(west, south, east, north)


def test_all_seen_is_the_outline_of_the_raster() -> None:
    (outline,) = seen_by(np.ones(SHAPE, bool), (16, 16)).polygons().geometry
    assert shapely.equals(outline, ground(0, 0, *SHAPE))


def test_what_is_missing_is_cut_out() -> None:
    valid = np.ones(SHAPE, bool)
    valid[:20, :30] = valid[40:50, 50:60] = False
    valid[5:7, 60:63] = False  # a speck of nodata
    valid[2, 2] = True  # and a speck of data
    polygons = seen_by(valid, (7, 100)).polygons()
    (outline,) = polygons.geometry
    expected = ground(0, 0, *SHAPE) - ground(0, 0, 20, 30) - ground(40, 50, 50, 60)
    # Corners may be cut by half a pixel.
    assert outline.symmetric_difference(expected).area < 8 * 0.5 * 100
    assert len(outline.interiors) == 1
    assert polygons["area_m2"][0] == pytest.approx(outline.area / 0.9996**2, rel=1e-4)


def test_nothing_seen_is_no_polygon() -> None:
    polygons = seen_by(np.zeros(SHAPE, bool), (16, 16)).polygons()
    assert len(polygons) == 0 and polygons.crs == UTM
    assert list(polygons.columns) == ["id", "area_m2", "geometry"]


@pytest.mark.parametrize("most", [2048, 20, 11])
def test_blocks_leave_no_trace(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "MOST_CELLS", most)
    valid = blobs(5, 60)
    whole = seen_by(valid, (60, 60))
    for block in ((16, 16), (7, 23), (1, 60)):
        part = seen_by(valid, block)
        np.testing.assert_array_equal(part.mask(), whole.mask())
        assert part.polygons().equals(whole.polygons())


def test_a_large_raster_is_seen_in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "MOST_CELLS", 20)
    valid = np.ones(SHAPE, bool)
    valid[:, :35] = False  # cells have 5 pixels
    found = seen_by(valid, (9, 13))
    assert found.cell_px == 5 and found.mask().shape == (13, 17)
    (outline,) = found.polygons().geometry
    assert shapely.equals(outline, ground(0, 35, *SHAPE))


def test_a_slanted_rim_becomes_a_line() -> None:
    """A rotated raster: the stairs of pixels at its edge become a line."""
    frame = shapely.affinity.rotate(shapely.box(20, 20, 180, 180), 20)
    valid = rasterio.features.rasterize([frame], (200, 200), transform=Affine.identity()) > 0
    (outline,) = seen_by(valid, (64, 64)).polygons().geometry
    assert outline.length < 1.03 * frame.length * 10
    assert outline.area == pytest.approx(frame.area * 100, rel=0.01)
