"""Simplified outlines never overlap others, and do not depend on batches."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from region_files import blobs, region_file_of
from scipy import ndimage

from geochange.vector.generalization.outline_style import OutlineStyle
from geochange.vector.generalization.simplify import draw_outlines
from geochange.vector.generalization.smooth import smooth
from geochange.vector.tracing import region_file
from geochange.vector.tracing.polygons import Geometries
from geochange.vector.tracing.region_file import RegionFile

Mask = NDArray[np.bool_]


def shelf(mask: Mask, block: tuple[int, int] | None = None) -> RegionFile:
    return region_file_of(mask.astype(np.uint8) * 254, block)


def split(seed: int, size: int) -> Mask:
    """Shapes with narrow winding gaps, where simplified outlines would overlap."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    return np.asarray(np.abs(ndimage.gaussian_filter(noise, 3)) > 0.02)


def drawn(of: RegionFile, tolerance_px: float) -> Geometries:
    return draw_outlines(of, OutlineStyle(tolerance_px)).of(np.arange(len(of)))


def all_at_once(of: RegionFile, tolerance_px: float) -> Geometries:
    """Simplify all, then undo any two that overlap, until none do."""
    whole = smooth(of.read(np.arange(len(of))).polygons(), tolerance_px, of.touching)
    thin = shapely.simplify(whole, (tolerance_px - 0.5) / 2)
    keep = ~shapely.is_valid(thin) | (shapely.get_type_id(thin) != 3)
    while True:
        result = np.where(keep, whole, thin)
        worse = np.zeros(len(result), np.bool_)
        for i, one in enumerate(result):
            overlaps = shapely.area(shapely.intersection(one, result)) > 0
            worse[i] = overlaps.sum() > 1
        if not (worse & ~keep).any():
            return np.asarray(result)
        keep |= worse


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.8, 2.0, 4.0, 9.0]), st.integers(1, 40))
def test_batches_decide_as_all_at_once(seed: int, tolerance_px: float, batch: int) -> None:
    of = shelf(split(seed, 50), (13, 40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(region_file, "BATCH_REGIONS", batch)
        found = drawn(of, tolerance_px)
    assert shapely.to_wkb(found).tolist() == shapely.to_wkb(all_at_once(of, tolerance_px)).tolist()


def test_some_outlines_do_keep_their_points() -> None:
    outlines = draw_outlines(shelf(split(0, 120)), OutlineStyle(4))
    assert 0 < outlines.whole.sum() < len(outlines.whole)


def test_more_tolerance_gives_fewer_points() -> None:
    of = shelf(blobs(3, 40))
    counts = [shapely.get_num_coordinates(drawn(of, px)).sum() for px in (0.5, 1, 2, 4)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0] / 2


@pytest.mark.parametrize("tolerance_px", [0, 0.5, 3])
def test_nothing_is_drawn_as_nothing(tolerance_px: float) -> None:
    assert len(drawn(shelf(np.zeros((3, 4), bool)), tolerance_px)) == 0
