"""Land classes are seen for regions that may become polygons, the same whatever the blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from geochange.grid.tiling import TilePlan, Window
from geochange.land_cover import NO_LAND_CLASS
from geochange.running.ground.land_cover_of_polygons import possible_polygons, see_land
from geochange.vector.changes import ConfidenceFilter
from geochange.vector.tracing.regions import BlockRegions, trace_regions

SHAPE = (700, 900)
LEVEL = 100


def regions_of(probability: NDArray[np.uint8], window: Window | None = None) -> BlockRegions:
    window = window or Window(0, 0, *probability.shape)
    return trace_regions(probability, window, LEVEL, SHAPE[1])


def test_regions_within_a_block_are_judged_and_others_kept() -> None:
    probability = np.zeros((20, 30), np.uint8)
    probability[0:1, 2:3] = 200  # goes on above
    probability[4:6, 4:6] = 200  # small
    probability[4:9, 10:15] = 110  # unsure
    probability[10:15, 10:15] = 200
    found = regions_of(probability)
    sure = ConfidenceFilter(lambda rows: rows["peak"] / 254, 0.5)
    assert possible_polygons(found, 5, sure).tolist() == [True, False, False, True]
    assert possible_polygons(found, 0, None).all()
    assert len(possible_polygons(regions_of(np.zeros((9, 9), np.uint8)), 0, None)) == 0


def spots() -> NDArray[np.uint8]:
    """Some small regions, and one that goes through most blocks."""
    probability = np.zeros(SHAPE, np.uint8)
    for row, col in np.random.default_rng(0).integers(0, 690, (30, 2)):
        probability[row : row + 9, col : col + 9] = 150
    probability[350:353, 20:880] = 200
    return probability


def look(windows: Sequence[Window]) -> list[NDArray[np.uint8]]:
    """Numbers that tell in which window, and where in it, a pixel was seen."""
    told = []
    for window in windows:
        rows, cols = np.indices((window.height, window.width))
        number = (rows * 3 + cols * 5 + window.row * 7 + window.col * 11) % 251
        told.append(np.stack([number, 250 - number]).astype(np.uint8))
    return told


def land_by_blocks(block_tiles: int) -> NDArray[np.uint8]:
    probability, plan = spots(), TilePlan(SHAPE, 320, 64, block_tiles)
    whole = np.full((2, *SHAPE), NO_LAND_CLASS, np.uint8)
    rows, cols = plan.outputs
    for output in product(range(rows), range(cols)):
        window = plan.output_window(output)
        place = slice(window.row, window.row_stop), slice(window.col, window.col_stop)
        found = regions_of(probability[place], window)
        chosen = np.ones(len(found.regions), np.bool_)
        if chosen.any():
            whole[:, *place] = see_land(found, probability[place] >= LEVEL, chosen, plan, look)
    return whole


@pytest.mark.parametrize("block_tiles", [2, 4])
def test_blocks_do_not_matter(block_tiles: int) -> None:
    changed = spots() >= LEVEL
    one, other = land_by_blocks(1), land_by_blocks(block_tiles)
    assert (one[:, changed] != NO_LAND_CLASS).all()
    np.testing.assert_array_equal(one[:, changed], other[:, changed])


def test_parts_that_no_chosen_region_meets_are_not_seen() -> None:
    probability, plan = np.zeros(SHAPE, np.uint8), TilePlan(SHAPE, 320, 64, 4)
    probability[10:20, 10:20] = probability[600:620, 800:820] = 200
    seen: list[Window] = []

    def note(windows: Sequence[Window]) -> list[NDArray[np.uint8]]:
        seen.extend(windows)
        return look(windows)

    found = regions_of(probability)
    land = see_land(found, probability >= LEVEL, np.array([False, True]), plan, note)
    assert len(seen) == 1
    assert seen[0].row > 256 and seen[0].col > 256
    assert (land[:, 600:620, 800:820] != NO_LAND_CLASS).all()
    assert (land[:, 10:20, 10:20] == NO_LAND_CLASS).all()
