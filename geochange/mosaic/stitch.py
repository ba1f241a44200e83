"""Stitching: combines the logits of overlapping tiles into one raster by a weighted mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.grid.tiling import Axis, Index, TilePlan
from geochange.mosaic.stores import LogitStore
from geochange.mosaic.taper import taper_profile, tile_weights
from geochange.parallelism import SERIAL_VALUES


def stitch(
    plan: TilePlan, output: Index, taper: str, store: LogitStore, sparse: bool = False
) -> NDArray[np.float32]:
    """(height, width) float32 logits of an output block; NaN without data.

    sparse: whether missing chunks are no data. Raises DamagedStoreError.

    sum(w * logit) / sum(w) over the tiles that touch the block, in index order and in float32, so that
    the bits of a pixel do not depend on the block. A pixel without data is NaN in every tile that holds
    it, and NaN passes through the sum. w is a product over both axes, and so is its sum.
    """
    window = plan.output_window(output)
    tile_rows, tile_cols = plan.touching_tiles(window)
    # Torch converts half precision several times faster than numpy.
    tiles = torch.from_numpy(store.get(tile_rows, tile_cols, sparse))
    taper_weights = torch.from_numpy(tile_weights(taper, plan.tile_px))
    total = torch.from_numpy(np.zeros((window.height, window.width), np.float32))
    for i, row in enumerate(tile_rows):
        for j, col in enumerate(tile_cols):
            tile = plan.tile_window((row, col))
            shared = tile.intersection(window)
            if shared is not None:
                source, place = shared.within(tile), shared.within(window)
                _add(total[place], tiles[i, j][source], taper_weights[source])
    said = (
        _taper_sum(taper, plan.rows, window.row, window.row_stop, tile_rows),
        _taper_sum(taper, plan.cols, window.col, window.col_stop, tile_cols),
    )
    for strip in _strips(total):
        total[strip].div_(said[0][strip, None] * said[1])
    return np.asarray(total.numpy())


def _add(total: torch.Tensor, logits: torch.Tensor, taper_weights: torch.Tensor) -> None:
    for strip in _strips(total):
        total[strip].add_(logits[strip].float().mul_(taper_weights[strip]))


def _strips(pixels: torch.Tensor) -> Iterator[slice]:
    """Slices of rows of (height, width) pixels, with at most SERIAL_VALUES pixels each."""
    step = max(1, SERIAL_VALUES // pixels.shape[1])
    return (slice(row, row + step) for row in range(0, len(pixels), step))


def _taper_sum(taper: str, axis: Axis, start: int, stop: int, tiles: range) -> torch.Tensor:
    """Along an axis: the sum of the weights of `tiles` at each pixel from `start` to `stop`."""
    shape = taper_profile(taper, axis.tile_px)
    total = np.zeros(stop - start)
    for tile in tiles:
        first = axis.start(tile)
        here = slice(max(first, start), min(first + axis.tile_px, stop))
        total[here.start - start : here.stop - start] += shape[
            here.start - first : here.stop - first
        ]
    return torch.from_numpy(total.astype(np.float32))
