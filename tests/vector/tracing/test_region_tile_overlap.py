"""Pixels of regions in tiles, compared with a count of every pixel, for small and huge regions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from region_files import KNOT, LEVEL, RING, Bytes, blobs, join_regions
from scipy import ndimage

from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import TilePlan, Window
from geochange.vector.tracing import region_tile_overlap
from geochange.vector.tracing.region_tile_overlap import count_overlaps

Counts = dict[tuple[int, int, int], int]


def counted(raster: Bytes, plan: TilePlan) -> Counts:
    """(region, tile row, tile col) -> pixels, by counting every pixel of every tile."""
    label, count = ndimage.label((raster >= LEVEL) & (raster != NODATA))
    firsts = [int(np.flatnonzero(label == number + 1)[0]) for number in range(count)]
    order = {int(number) + 1: place for place, number in enumerate(np.argsort(firsts))}
    found: Counts = {}
    for row in range(plan.tiles[0]):
        for col in range(plan.tiles[1]):
            inside = plan.tile_window((row, col)).intersection(plan.full_window)
            assert isinstance(inside, Window)
            for number in label[inside.within(plan.full_window)].ravel():
                if number:
                    key = order[int(number)], row, col
                    found[key] = found.get(key, 0) + 1
    return found


def told(raster: Bytes, plan: TilePlan) -> Counts:
    found: Counts = {}
    for part in count_overlaps(join_regions(raster), plan):
        columns = (part.region, part.tile_row, part.tile_col, part.pixels)
        for region, row, col, pixels in zip(*(each.tolist() for each in columns), strict=True):
            assert (region, row, col) not in found
            found[region, row, col] = pixels
    return found


@pytest.mark.parametrize("at_once", [1, 7, 60, 1 << 20])
@pytest.mark.parametrize("tiles", [(8, 0), (8, 3), (5, 4), (64, 16)])
@pytest.mark.parametrize("raster", [blobs(3).astype(np.uint8) * 254, KNOT, RING])
def test_pixels_are_those_one_would_count(
    raster: Bytes, tiles: tuple[int, int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_tile_overlap, "MAX_PAIRS", at_once)
    plan = TilePlan(raster.shape, *tiles)
    assert told(raster, plan) == counted(raster, plan)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    tile=st.integers(1, 9),
    seed=st.integers(0, 999),
    data=st.data(),
)
def test_any_raster_in_any_tiles(
    size: tuple[int, int], tile: int, seed: int, data: st.DataObject
) -> None:
    raster = (np.random.default_rng(seed).random(size) > 0.35).astype(np.uint8) * 254
    plan = TilePlan(size, tile, data.draw(st.integers(0, tile - 1)))
    assert told(raster, plan) == counted(raster, plan)


def test_no_region_has_no_pixels() -> None:
    raster = np.zeros((20, 20), np.uint8)
    assert list(count_overlaps(join_regions(raster), TilePlan((20, 20), 8, 2))) == []
