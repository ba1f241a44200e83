"""Stitching: combines the logits of overlapping tiles into one raster by a weighted mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Axis, Index, TilePlan
from geochange.mosaic.stores import LogitStore
from geochange.mosaic.taper import taper_profile, tile_weights
from geochange.parallelism import SERIAL_VALUES

Pixels = NDArray[np.float32]


def stitch(plan: TilePlan, output: Index, taper: str, store: LogitStore) -> Pixels:
    """(height, width) float32 logits of an output block; NaN without data.

    sum(w * logit) / sum(w) over the tiles that touch the block, in index order and in float32, so that
    the bits of a pixel do not depend on the block. A pixel without data is NaN in every tile that holds
    it, and NaN passes through the sum. w is a product over both axes, and so is its sum.
    """
    window = plan.output_window(output)
    tile_rows, tile_cols = plan.touching_tiles(window)
    tiles = store.get(tile_rows, tile_cols)
    taper_weights = tile_weights(taper, plan.tile_px)
    total = np.zeros((window.height, window.width), np.float32)
    for i, row in enumerate(tile_rows):
        for j, col in enumerate(tile_cols):
            tile = plan.tile_window((row, col))
            shared = tile.intersection(window)
            if shared is not None:
                source, place = shared.within(tile), shared.within(window)
                _add(total[place], tiles[i, j][source], taper_weights[source])
    rows = _taper_sum(taper, plan.rows, window.row, window.row_stop, tile_rows)
    cols = _taper_sum(taper, plan.cols, window.col, window.col_stop, tile_cols)
    for strip in _strips(total):
        total[strip] /= rows[strip, None] * cols
    return total


def _add(total: Pixels, logits: NDArray[np.float16], taper_weights: Pixels) -> None:
    for strip in _strips(total):
        weighted = logits[strip].astype(np.float32)
        weighted *= taper_weights[strip]
        total[strip] += weighted


def _strips(pixels: Pixels) -> Iterator[slice]:
    """Slices of rows of (height, width) pixels, with at most SERIAL_VALUES pixels each."""
    step = max(1, SERIAL_VALUES // pixels.shape[1])
    return (slice(row, row + step) for row in range(0, len(pixels), step))


def _taper_sum(taper: str, axis: Axis, start: int, stop: int, tiles: range) -> Pixels:
    """Along an axis: the sum of the weights of `tiles` at each pixel from `start` to `stop`."""
    shape = taper_profile(taper, axis.tile_px)
    total = np.zeros(stop - start)
    for tile in tiles:
        first = axis.start(tile)
        here = slice(max(first, start), min(first + axis.tile_px, stop))
        total[here.start - start : here.stop - start] += shape[
            here.start - first : here.stop - first
        ]
    return total.astype(np.float32)
