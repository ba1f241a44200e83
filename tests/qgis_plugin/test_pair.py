"""Which raster is before: by words, by dates, or by the order in which they were added."""

from __future__ import annotations

import pytest
from geochange_plugin.command.pair import guess_pair


@pytest.mark.parametrize(
    ("names", "pair"),
    [
        (["after", "before"], (1, 0)),
        (["changes", "town_before", "town_after"], (1, 2)),
        (["dop_2024", "dop_2015", "dop_2019-05"], (1, 0)),
        (["S2_20240531T10", "S2_20240501T10"], (1, 0)),
        (["upper", "lower"], (1, 0)),
        (["one", "two", "three"], None),
        (["before", "before", "after"], None),
        (["dop_2015", "dop_2015"], (1, 0)),
        (["alone"], None),
        ([], None),
    ],
)
def test_a_pair_is_guessed_from_names(names: list[str], pair: tuple[int, int] | None) -> None:
    assert guess_pair(names) == pair
