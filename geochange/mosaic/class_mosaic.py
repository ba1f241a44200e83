"""Class mosaic: combines tiles whose values cannot be averaged, such as class numbers.

A pixel takes the value of the tile in which it lies deepest. Tiles meet in the middle of their
overlap, wherever blocks begin. So a pixel does not depend on the block in which it is computed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Axis, Index, TilePlan, Window
from geochange.land_cover import NO_LAND_CLASS
from geochange.mosaic.stores import LandStore


def mosaic_classes(plan: TilePlan, output: Index, store: LandStore) -> NDArray[np.uint8]:
    """(date, height, width) uint8 class numbers of an output block; NO_LAND_CLASS without data."""
    window = plan.output_window(output)
    tile_rows, tile_cols = plan.touching_tiles(window)
    tiles = store.get(tile_rows, tile_cols)
    whole = np.full((2, window.height, window.width), NO_LAND_CLASS, np.uint8)
    for i, row in enumerate(tile_rows):
        down = _owned_span(plan.rows, row, window.row, window.row_stop)
        for j, col in enumerate(tile_cols):
            right = _owned_span(plan.cols, col, window.col, window.col_stop)
            top, left = plan.rows.start(row), plan.cols.start(col)
            place = _relative_slice(down, window.row), _relative_slice(right, window.col)
            whole[:, *place] = tiles[i, j][
                :, _relative_slice(down, top), _relative_slice(right, left)
            ]
    return whole


def owned_window(plan: TilePlan, tile: Index) -> Window:
    """The pixels of the raster that take the values of a tile."""
    (row, row_stop), (col, col_stop) = (
        _owned_span(axis, place, 0, axis.size_px)
        for axis, place in zip((plan.rows, plan.cols), tile, strict=True)
    )
    return Window(row, col, row_stop - row, col_stop - col)


def _owned_span(axis: Axis, tile: int, low: int, high: int) -> tuple[int, int]:
    """The pixels of `low`..`high` that a tile owns, as the first and the first after them."""
    first = 0 if tile == 0 else _tile_boundary(axis, tile - 1)
    stop = axis.size_px if tile == axis.tiles - 1 else _tile_boundary(axis, tile)
    first = max(first, low)
    return first, max(first, min(stop, high))


def _tile_boundary(axis: Axis, tile: int) -> int:
    """The pixel at which a tile ends and the next one begins."""
    return (axis.start(tile) + axis.tile_px + axis.start(tile + 1)) // 2


def _relative_slice(span: tuple[int, int], origin: int) -> slice:
    return slice(span[0] - origin, span[1] - origin)
