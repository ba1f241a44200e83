"""Stitching: the logits of overlapping tiles become one raster, by weighted mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geochange.geo.tiling import Index, TilePlan
from geochange.mosaic.blend import weights
from geochange.mosaic.store import LogitStore


def stitch(plan: TilePlan, output: Index, taper: str, store: LogitStore) -> NDArray[np.float32]:
    """(height, width) float32 logits of an output block; NaN where there is no data.

    sum(w * logit) / sum(w) over the tiles that touch the block, gathered in index order and summed
    in float32, so that a pixel's bits do not depend on the block it is computed in. NaN marks a
    pixel in every tile that holds it, and passes through the sum.
    """
    window = plan.output_window(output)
    tile_rows, tile_cols = plan.touching_tiles(window)
    tiles = store.get(tile_rows, tile_cols)
    taper_weights = weights(taper, plan.tile_px)
    total = np.zeros((window.height, window.width), np.float32)
    weight = np.zeros_like(total)
    for i, row in enumerate(tile_rows):
        for j, col in enumerate(tile_cols):
            tile = plan.tile_window((row, col))
            shared = tile.intersection(window)
            if shared is None:
                continue
            source, place = shared.within(tile), shared.within(window)
            total[place] += tiles[i, j][source].astype(np.float32) * taper_weights[source]
            weight[place] += taper_weights[source]
    return np.divide(total, weight, out=total)
