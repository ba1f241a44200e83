"""The sketch of both extents lays rings over each other that are told a turn apart."""

from __future__ import annotations

import re

import pytest

from geochange.report.extent_sketch import WIDTH, sketch_of
from geochange.report.facts import GroundPlace, Ring


def ring(west: float, east: float) -> Ring:
    return ((west, 60), (east, 60), (east, 61), (west, 61), (west, 60))


def place_of(*rings: Ring) -> GroundPlace:
    common, before, after = rings
    return GroundPlace("", None, None, common, before, after, (1, 1), (1, 1), (1, 1), "m", 1, 1)


def span(path: str) -> tuple[float, float]:
    across = [float(x) for x in re.findall(r"([\d.]+) [\d.]+", path)]
    return min(across), max(across)


@pytest.mark.parametrize("turn", [-360, 0, 360])
def test_rings_of_one_place_lie_over_each_other(turn: float) -> None:
    sketch = sketch_of(
        place_of(ring(179.5, 180.5), ring(179 + turn, 181 + turn), ring(179.5, 180.5))
    )
    assert sketch is not None
    (left, right), (inner_left, inner_right) = span(sketch.before), span(sketch.after)
    assert right - left == pytest.approx(2 * (inner_right - inner_left), abs=0.2)
    assert 0 < left < inner_left < inner_right < right < WIDTH


def test_a_ring_round_the_earth_stays_whole() -> None:
    world = ((-180, 80), (180, 80), (180, 90), (-180, 90), (-180, 80))
    sketch = sketch_of(place_of(world, world, ring(150, 210)))
    assert sketch is not None
    assert span(sketch.common) == span(sketch.before)
