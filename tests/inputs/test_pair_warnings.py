"""Each warning about a pair: when it comes, when it does not, and that it says what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from geochange.inputs.inspection import Comparison, DateReport, Inspection
from geochange.models.catalogue import scope_of
from geochange.raster.acquisition import Acquisition
from geochange.raster.ground_measures import CommonArea, GroundShift
from geochange.raster.scene.coregistration import Shift
from geochange.raster.scene.radiometry import Stretch

DATE = DateReport("before.tif", None, "UTM", (400, 400), 0.5, 3, "uint8", 0.0, 0.0)
SOUND = Inspection(
    before=DATE,
    after=replace(DATE, path="after.tif"),
    crs="UTM",
    shape=(400, 400),
    ground=CommonArea(1.0, 1.0, 1.0),
    compared=((1, 2, 3), (1, 2, 3)),
    histogram_distance=(0.01, 0.02, 0.01),
    shift=Shift(),
    offset=GroundShift(0.0, "north"),
    grid_m=0.5,
)


def with_dates(before: dict[str, Any], after: dict[str, Any], **other: Any) -> tuple[str, ...]:
    both = replace(SOUND.before, **before), replace(SOUND.after, **after)
    return replace(SOUND, before=both[0], after=both[1], **other).warnings


def test_of_a_sound_pair_nothing_is_said() -> None:
    assert SOUND.warnings == ()


@pytest.mark.parametrize(
    ("share", "km2", "warned"),
    [
        (0.04, 0.04, False),  # a new roof of 1,600 m² in a picture of 200 m
        (0.5, 0.04, True),  # half of the same picture
        (0.03, 100, True),
        (0.01, 100, False),
        (0.1, 1, True),
    ],
)
def test_a_new_roof_in_a_small_picture_is_no_cloud(share: float, km2: float, warned: bool) -> None:
    told = with_dates({}, {"cloud": share}, ground=CommonArea(km2, 1.0, 1.0))
    assert (
        any("as bright as cloud in after alone: if it is cloud" in line for line in told) == warned
    )


@pytest.mark.parametrize(
    ("before_m", "after_m", "grid_m", "advised"),
    [(0.5, 2, 0.5, "--grid after"), (2, 0.5, 2, None), (0.5, 2, 2, None), (2, 0.5, 0.5, "--grid before")],
)  # fmt: skip
def test_a_grid_is_advised_only_if_it_is_another_one(
    before_m: float, after_m: float, grid_m: float, advised: str | None
) -> None:
    (told,) = with_dates({"pixel_m": before_m}, {"pixel_m": after_m}, grid_m=grid_m)
    coarse = "before" if before_m > after_m else "after"
    assert told.startswith(f"{coarse} is 4.0 times coarser: nothing below 2 m can be found")
    assert ("--grid" in told) == (advised is not None) and (advised or "") in told


def test_types_are_compared_as_the_stretch_has_it() -> None:
    for stretch, words in (
        ("auto", "each date gets its own stretch, and what changes the whole scene does not show"),
        ("none", "compared as they are; leave --stretch out"),
        (Stretch((0.0,), (9.0,)), "compared as they are; leave --stretch out"),
    ):
        (told,) = with_dates({}, {"dtype": "uint16"}, comparison=Comparison(stretch))
        assert words in told


def test_light_matters_to_networks_alone() -> None:
    other = {"histogram_distance": (0.1, 0.4, 0.2)}
    (told,) = with_dates({}, {}, **other)
    assert told.startswith("the histograms lie 40% of their range apart") and "--match" in told
    network = Comparison(scope=scope_of("changeclip-small"))
    assert len(with_dates({}, {}, comparison=network, **other)) == 1
    assert with_dates({}, {}, comparison=Comparison(scope=scope_of("irmad")), **other) == ()


def test_a_model_is_asked_for_the_pixels_of_the_grid() -> None:
    here = Comparison(scope=scope_of("changeclip-small"))
    sizes = {"pixel_m": 10.0}
    (told,) = with_dates(sizes, sizes, grid_m=10.0, comparison=here)
    assert told == scope_of("changeclip-small").warnings(10.0)[0]
    assert with_dates(sizes, sizes, grid_m=10.0) == ()


def test_dates_in_another_order_or_season() -> None:
    days = [Acquisition("2020-07-10", "name"), Acquisition("2019-01-05", "name")]
    told = with_dates({"acquired": days[0]}, {"acquired": days[1]})
    assert [line.rpartition("; ")[2] for line in told] == [
        "swap them",
        "dates of one season show fewer",
    ]
    assert with_dates({"acquired": days[1]}, {"acquired": days[1]}) == ()


def test_little_common_ground_and_much_nodata() -> None:
    (told,) = with_dates({}, {}, ground=CommonArea(1.0, 0.5, 0.04))
    assert told.startswith("the dates share 4.0% of after, and nothing else is compared")
    (told,) = with_dates({"nodata": 0.6}, {})
    assert told.startswith(
        "60% of the common ground is nodata in before, and nothing is found there"
    )
