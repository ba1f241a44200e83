"""Outlines with right angles or smooth curves stay valid, close to the pixels, and apart."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import LONLAT, NORTH_UP, UTM
from numpy.typing import NDArray
from region_files import blobs, region_file_of

from geochange.grid.grid import Grid, to_ground
from geochange.vector.generalization.orthogonal import REACH_PX
from geochange.vector.generalization.outline_style import OutlineStyle, outline_style_for
from geochange.vector.generalization.simplify import draw_outlines
from geochange.vector.tracing.polygons import Geometries

Mask = NDArray[np.bool_]


def drawn(mask: Mask, pen: OutlineStyle) -> Geometries:
    shelf = region_file_of(mask.astype(np.uint8) * 254)
    return draw_outlines(shelf, pen).of(np.arange(len(shelf)))


def burnt(*shapes: shapely.Geometry, size: int = 120) -> Mask:
    """Shapes as pixels whose centres they contain."""
    frame = Affine.translation(0, 0) @ Affine.scale(1, 1)
    return rasterio.features.rasterize(shapes, (size, size), transform=frame, dtype="uint8") > 0


def turned(shape: shapely.Geometry, degrees: float) -> shapely.Geometry:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    middle = np.array([60, 60])
    turn = np.array([[cos, sin], [-sin, cos]])
    return shapely.transform(shape, lambda xy: (xy - middle) @ turn + middle)


HOUSE = shapely.box(30, 40, 90, 75)
ANGLE = shapely.Polygon([(30, 30), (90, 30), (90, 55), (55, 55), (55, 90), (30, 90)])
COURT = shapely.Polygon(HOUSE.exterior, [shapely.box(45, 50, 75, 65).exterior])


def corners(outline: shapely.Polygon) -> NDArray[np.float64]:
    """The angle of each corner of a polygon's rings, in degrees."""
    found = []
    for ring in (outline.exterior, *outline.interiors):
        points = np.asarray(ring.coords)[:-1]
        ahead, behind = np.roll(points, -1, 0) - points, np.roll(points, 1, 0) - points
        cosine = (ahead * behind).sum(1) / np.hypot(*ahead.T) / np.hypot(*behind.T)
        found.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.concatenate(found)


def share(one: shapely.Geometry, other: shapely.Geometry) -> float:
    return float(one.intersection(other).area / one.union(other).area)


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [0, 8, 17, 30, 45, 71])
@pytest.mark.parametrize(("building", "count"), [(HOUSE, 4), (ANGLE, 6), (COURT, 8)])
def test_buildings_get_back_their_corners(
    building: shapely.Polygon, count: int, degrees: float
) -> None:
    truth = turned(building, degrees)
    (outline,) = drawn(burnt(truth), OutlineStyle(orthogonal=True))
    angles = corners(outline)
    np.testing.assert_allclose(angles, 90, atol=1e-6)
    assert len(angles) == count
    assert share(outline, truth) > 0.95


def test_ponds_stay_round() -> None:
    pond = burnt(shapely.Point(60, 60).buffer(25))
    (smooth,), (outline,) = drawn(pond, OutlineStyle()), drawn(pond, OutlineStyle(orthogonal=True))
    assert outline.equals_exact(smooth, 0)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (UTM, NORTH_UP),
        (UTM, NORTH_UP @ Affine.scale(1, 2.5)),
        (UTM, NORTH_UP @ Affine.rotation(20)),
        (LONLAT, Affine(2e-5, 0, 10, 0, -2e-5, 60)),
    ],
)
def test_right_angles_are_right_on_the_ground(crs: object, transform: Affine) -> None:
    mask = burnt(turned(HOUSE, 25))
    grid = Grid(crs, transform, mask.shape)  # type: ignore[arg-type]
    pixels = np.array(outline_style_for(grid, 0.5, 0, True).metric)
    on_ground = turned(HOUSE, 25)
    back = np.linalg.inv(pixels)
    middle = np.array([60, 60])
    seen = shapely.transform(on_ground, lambda xy: (xy - middle) @ back.T + middle)
    (outline,) = drawn(burnt(seen), outline_style_for(grid, 0.5, 0, True))
    ground = to_ground(outline, transform)
    if crs is LONLAT:
        stretch = np.array([np.cos(np.radians(60)), 1])
        ground = shapely.transform(ground, lambda xy: xy * stretch)
    np.testing.assert_allclose(corners(ground), 90, atol=0.02)


def test_rounding_cuts_corners_and_little_else() -> None:
    square = burnt(HOUSE)
    (sharp,), (soft,) = drawn(square, OutlineStyle()), drawn(square, OutlineStyle(rounds=3))
    assert corners(soft).min() > 150
    assert soft.within(sharp)
    assert soft.area > sharp.area * 0.99


small = st.builds(blobs, st.integers(0, 10_000), st.just(24))
walls = st.builds(
    lambda seed: burnt(
        *(
            turned(shapely.box(x, y, x + w, y + h), d)
            for x, y, w, h, d in np.random.default_rng(seed).uniform(
                (0, 0, 4, 4, 0), (50, 50, 25, 25, 90), (9, 5)
            )
        ),
        size=80,
    ),
    st.integers(0, 10_000),
)
pens = st.builds(
    OutlineStyle,
    st.sampled_from([0.0, 0.5, 1.5, 4.0]),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([((1.0, 0.0), (0.0, 1.0)), ((0.7, 0.0), (0.2, 1.4))]),
)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.one_of(small, walls), pens)
def test_whatever_the_pen_outlines_are_valid_and_share_no_ground(
    mask: Mask, pen: OutlineStyle
) -> None:
    outlines = drawn(mask, pen)
    assert len(outlines) == len(drawn(mask, OutlineStyle(0)))
    assert shapely.is_valid(outlines).all()
    assert (shapely.get_type_id(outlines) == 3).all()
    assert shapely.area(outlines).min(initial=1) > 0
    one, other = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    pairs = one < other
    shared = shapely.intersection(outlines[one[pairs]], outlines[other[pairs]])
    assert shapely.area(shared).sum() == 0


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(walls)
def test_right_angles_move_no_wall_further_than_said(mask: Mask) -> None:
    before, after = drawn(mask, OutlineStyle()), drawn(mask, OutlineStyle(orthogonal=True))
    distance = shapely.hausdorff_distance(before, after, densify=0.1)
    assert distance.max(initial=0) <= REACH_PX


def test_neighbours_that_would_overlap_keep_their_lines() -> None:
    """Two houses with a diagonal gap of one pixel cannot both be straightened."""
    mask = np.zeros((60, 60), bool)
    mask[10:40, 10:30] = mask[10:40, 31:50] = True
    mask[10:25, 30] = True
    mask[10:25, 31] = False
    outlines = drawn(mask, OutlineStyle(orthogonal=True))
    assert shapely.area(shapely.intersection(*outlines)) == 0
