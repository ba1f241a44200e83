"""The synthetic landscape: equal for equal seeds, and changed only where it says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from shapely import Point, Polygon, box

from geochange.errors import OptionError
from geochange.landscape import Landscape, make_landscape
from geochange.landscape.plan.layout import plan_landscape
from geochange.landscape.render.light import cast_shadow, expose, gentle_slope
from geochange.landscape.render.noise import fractal_noise
from geochange.landscape.render.seasons import EARLY_AUTUMN, EARLY_SUMMER
from geochange.landscape.scene import planted_changes
from geochange.landscape.shapes import Box, cover_ribbon, pixels_of

pytestmark = pytest.mark.slow

SIZE_PX = 512
KINDS = {"building", "demolished", "road", "felled", "drained"}


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return make_landscape(SIZE_PX)


def mask_of(outline: Polygon, size_px: int) -> NDArray[np.bool_]:
    mask = np.zeros((size_px, size_px), bool)
    mask[pixels_of(outline, mask.shape)] = True
    return mask


def change_vector(landscape: Landscape) -> NDArray[np.float64]:
    """(row, col) length of the smoothed difference of the standardised bands."""
    before, after = (
        (picture - picture.mean((0, 1))) / picture.std((0, 1))
        for picture in (landscape.before.astype(float), landscape.after.astype(float))
    )
    smooth = gaussian_filter(after - before, (2, 2, 0))
    return np.asarray(np.hypot.reduce(smooth, axis=2))


def test_pictures_are_eight_bit_colour(landscape: Landscape) -> None:
    for picture in (landscape.before, landscape.after):
        assert picture.shape == (SIZE_PX, SIZE_PX, 3)
        assert picture.dtype == np.uint8
        assert 50 < picture.mean() < 170
        assert picture.std() > 20


def test_a_seed_gives_the_same_landscape_twice(landscape: Landscape) -> None:
    again = make_landscape(SIZE_PX)
    assert np.array_equal(landscape.before, again.before)
    assert np.array_equal(landscape.after, again.after)
    assert landscape.planted == again.planted


def test_another_seed_gives_another_landscape(landscape: Landscape) -> None:
    assert planted_changes(plan_landscape(SIZE_PX, seed=7)) == list(landscape.planted)
    assert planted_changes(plan_landscape(SIZE_PX, seed=8)) != list(landscape.planted)


def test_every_kind_of_change_is_planted(landscape: Landscape) -> None:
    kinds = [planted.kind for planted in landscape.planted]
    assert set(kinds) == KINDS
    assert kinds.count("building") >= 4


@pytest.mark.parametrize(("size_px", "seed"), [(512, 7), (700, 3), (1536, 7), (3100, 1)])
def test_outlines_are_whole_apart_and_inside_the_picture(size_px: int, seed: int) -> None:
    outlines = [planted.outline for planted in planted_changes(plan_landscape(size_px, seed))]
    frame = box(0, 0, size_px, size_px)
    for number, outline in enumerate(outlines):
        assert isinstance(outline, Polygon)
        assert outline.is_valid
        assert outline.area > 100
        assert frame.covers(outline)
        assert not any(outline.intersects(other) for other in outlines[:number])


def test_planted_ground_differs_more_than_the_rest(landscape: Landscape) -> None:
    change = change_vector(landscape)
    planted = [mask_of(item.outline, SIZE_PX) for item in landscape.planted]
    rest = change[~np.any(planted, axis=0)]
    assert np.median(change[np.any(planted, axis=0)]) > 3 * np.median(rest)
    stands_out = [np.median(change[mask]) > np.percentile(rest, 90) for mask in planted]
    assert np.mean(stands_out) >= 0.8


def test_felled_wood_and_drained_pond_turn_to_bare_ground(landscape: Landscape) -> None:
    for planted in landscape.planted:
        if planted.kind in ("felled", "drained"):
            mask = mask_of(planted.outline.buffer(-6), SIZE_PX)
            before, after = landscape.before[mask].mean(0), landscape.after[mask].mean(0)
            assert after.mean() > 1.2 * before.mean()
            assert after[0] > after[1] > after[2]


def test_a_size_that_divides_by_nothing_is_filled_to_its_edges() -> None:
    landscape = make_landscape(577, seed=3)
    assert landscape.after.shape == (577, 577, 3)
    assert {planted.kind for planted in landscape.planted} == KINDS
    for edge in (landscape.after[-1], landscape.after[:, -1]):
        assert edge.std() > 5


def test_a_larger_picture_holds_more_not_larger_things() -> None:
    small, large = plan_landscape(1536, seed=7), plan_landscape(3072, seed=7)
    assert len(large.ponds) == 4 * len(small.ponds)
    assert len(large.buildings) > 3 * len(small.buildings)
    widest = max(building.box.half_along_px for building in small.buildings)
    assert max(building.box.half_along_px for building in large.buildings) == widest


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(OptionError, match="512"):
        make_landscape(511)


def test_pixels_of_an_outline_are_those_whose_centres_it_holds() -> None:
    outline = Box(9.3, 11.8, 0.4, 30.0, 5.0).outline()
    expected = [
        (row, col)
        for row in range(20)
        for col in range(24)
        if outline.contains(Point(col + 0.5, row + 0.5))
    ]
    assert list(zip(*pixels_of(outline, (20, 24)), strict=True)) == expected


def test_a_ribbon_knows_its_sides() -> None:
    path = np.array([[10.5, 0.0], [10.5, 40.0]])
    cover = cover_ribbon(path, 3.0, (21, 40))
    assert np.allclose(cover.across_px, cover.rows - 10.0)


def test_shadow_falls_away_from_the_sun_as_far_as_its_height_tells() -> None:
    height_px = np.zeros((120, 120), np.float32)
    height_px[60:64, 60:64] = 20.0
    for season in (EARLY_SUMMER, EARLY_AUTUMN):
        rows, cols = np.nonzero(cast_shadow(height_px, season) > 0.5)
        reach = 20 / np.tan(np.deg2rad(season.sun_elevation_deg))
        towards = np.deg2rad(season.sun_azimuth_deg + 180)
        assert rows.min() == pytest.approx(60 - reach * np.cos(towards), abs=2)
        assert cols.min() == pytest.approx(60 + reach * np.sin(towards), abs=2)


def test_a_wall_has_no_slope_but_its_roof_has() -> None:
    profile = np.array([0, 0, 8, 9, 10, 9, 8, 0, 0], np.float32)[None, :]
    assert gentle_slope(profile, 1).tolist() == [[0, 0, 1, 1, 0, -1, -1, 0, 0]]


def test_the_camera_displaces_by_the_shift_it_names() -> None:
    spot = np.zeros((41, 41), np.float32)
    spot[20, 20] = 1.0
    seen = expose(spot, EARLY_AUTUMN)
    centre = [float((seen.sum(axis=1 - axis) * np.arange(41)).sum()) for axis in (0, 1)]
    assert centre == pytest.approx([20.6, 19.6], abs=0.02)


def test_noise_is_standardised_whatever_the_shape() -> None:
    noise = fractal_noise((61, 97), np.random.default_rng(0), longest_px=30)
    assert noise.shape == (61, 97)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 1e-4
    assert noise.std() == pytest.approx(1, abs=1e-3)
