"""Coverage: the ground with data at both dates, as polygons, counted block by block."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.grid.grid import Grid, to_ground
from geochange.grid.probability_bytes import MAX_BYTE, NODATA
from geochange.grid.tiling import Window
from geochange.vector.generalization.outline_style import OutlineStyle
from geochange.vector.generalization.simplify import draw_outlines
from geochange.vector.geodesic import geodesic_measures
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.region_file import RegionFileWriter
from geochange.vector.tracing.regions import trace_regions

if TYPE_CHECKING:
    import geopandas as gpd

MOST_CELLS = 2048
"""The most cells along a side: in larger rasters a cell has several pixels, so that memory and the
number of corners do not grow with the raster.
"""

SPECK_CELLS = 15
"""Holes, then islands, of so few cells are removed: they are noise in the nodata of the inputs."""

SMOOTH_CELLS = 0.5
"""How far outlines may move: enough to straighten the stairs of a line."""


class Coverage:
    """Counts the pixels with data in each cell; a cell is covered if half of its pixels are."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.cell_px = -(-max(grid.shape) // MOST_CELLS)
        rows, cols = (-(-side // self.cell_px) for side in grid.shape)
        self._seen_px = np.zeros((rows, cols), np.int32)

    def add(self, window: Window, probability: NDArray[np.uint8]) -> None:
        """Add one block of the probability raster; blocks do not overlap."""
        rows = self._cuts(window.row, window.row_stop)
        cols = self._cuts(window.col, window.col_stop)
        there = probability != NODATA
        if there.all():
            # True for nearly every block: no pixel needs counting.
            seen = np.outer(
                np.diff(rows, append=window.row_stop), np.diff(cols, append=window.col_stop)
            )
        else:
            seen = np.add.reduceat(there, rows - window.row, axis=0, dtype=np.int32)
            seen = np.add.reduceat(seen, cols - window.col, axis=1)
        row, col = rows[0] // self.cell_px, cols[0] // self.cell_px
        self._seen_px[row : row + len(rows), col : col + len(cols)] += seen

    def _cuts(self, start: int, stop: int) -> NDArray[np.int64]:
        """The starts of cells along an axis, relative to the first pixel of a block."""
        return np.maximum(
            np.arange(start // self.cell_px * self.cell_px, stop, self.cell_px), start
        )

    def mask(self) -> NDArray[np.bool_]:
        """(row, col) of cells: which are covered."""
        height, width = (
            np.minimum(self.cell_px, side - np.arange(0, side, self.cell_px))
            for side in self.grid.shape
        )
        seen = 2 * self._seen_px >= height[:, None] * width
        return _without_specks(~_without_specks(~seen))

    def polygons(self) -> gpd.GeoDataFrame:
        """The covered ground: id, area_m2 on the ellipsoid, Polygons in the grid's CRS."""
        import geopandas as gpd  # takes a third of a second, and a run begins without it

        seen = self.mask()
        joiner, spill = RegionJoiner(seen.shape), RegionFileWriter(BytesIO())
        whole = Window(0, 0, *seen.shape)
        spill.put(
            joiner.add(
                trace_regions(seen.astype(np.uint8) * np.uint8(MAX_BYTE), whole, 1, whole.width)
            )
        )
        shelf = spill.finish(joiner.finish())
        drawn = draw_outlines(shelf, OutlineStyle(SMOOTH_CELLS)).of(np.arange(len(shelf)))
        height, width = self.grid.shape
        # The raster's edge cuts off the last cells.
        placed = shapely.transform(drawn, lambda xy: np.minimum(xy * self.cell_px, (width, height)))
        area_m2, _ = geodesic_measures(placed, self.grid)
        return gpd.GeoDataFrame(
            {"id": np.arange(1, len(placed) + 1, dtype=np.int64), "area_m2": area_m2},
            geometry=gpd.GeoSeries(to_ground(placed, self.grid.transform), crs=self.grid.crs),
        )


def _without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Only components of more than SPECK_CELLS cells."""
    from scipy import ndimage

    label, _ = ndimage.label(mask)
    kept = np.bincount(label.ravel()) > SPECK_CELLS
    kept[0] = False
    return np.asarray(kept[label])
