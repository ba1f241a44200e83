"""The list of a page holds the most confident changes, where they lie, and never more than its limit."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from makers import NORTH_UP, UTM

from geochange.grid.grid import Grid, to_ground
from geochange.report.run import change_list
from geochange.report.run.change_list import ChangeList
from geochange.vector.changes import table_of

GRID = Grid(UTM, NORTH_UP, (200, 400))


def batch(ids: Any, **attributes: Any) -> gpd.GeoDataFrame:
    ids = np.asarray(ids)
    left, top = ids % 390, ids % 190
    boxes = to_ground(shapely.box(left, top, left + 10, top + 5), GRID.transform)
    figures = {
        "id": ids,
        "area_m2": ids * 2.0,
        "perimeter_m": ids * 1.0,
        "confidence_mean": (ids % 1009) / 1009,
        "confidence_max": np.ones(len(ids)),
        "touches_edge": np.zeros(len(ids), bool),
    }
    return table_of({**figures, **attributes}, boxes, UTM)


@pytest.mark.slow
def test_the_most_confident_of_all_batches_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_list, "MOST_ROWS", 50)
    changes = ChangeList(GRID)
    ids = np.random.default_rng(0).permutation(np.arange(1, 1501))
    for part in np.array_split(ids, 7):
        changes.add(batch(part))
    listed = changes.listed()
    order = sorted(ids.tolist(), key=lambda n: (-(n % 1009), -n))
    assert [change.id for change in listed] == order[:50]
    assert all(change.confidence == change.id % 1009 / 1009 for change in listed)


def test_a_calibrated_confidence_decides() -> None:
    changes = ChangeList(GRID)
    changes.add(batch([1, 2, 3], confidence=[0.6, 0.9, 0.7], change=["a -> b", "", None]))
    listed = changes.listed()
    assert [(change.id, change.confidence) for change in listed] == [(2, 0.9), (3, 0.7), (1, 0.6)]
    assert [change.change for change in listed] == [None, None, "a -> b"]


def test_a_box_is_a_share_of_the_scene() -> None:
    changes = ChangeList(GRID)
    changes.add(batch([100]))
    (change,) = changes.listed()
    assert change.box == pytest.approx((100 / 200, 100 / 400, 5 / 200, 10 / 400))
    assert change.centre == pytest.approx((9.0, 45.15), abs=0.1)


def test_no_changes_are_no_list() -> None:
    changes = ChangeList(GRID)
    changes.add(batch(np.empty(0, int)))
    assert changes.listed() == ()
