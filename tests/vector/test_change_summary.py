"""Sums over changes equal those of the whole table, for any batches."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from makers import UTM

from geochange.vector.change_summary import (
    BINS,
    DECADES,
    NO_CHANGE_NAME,
    TOP,
    Summary,
    is_calibrated,
    shown_confidence,
)
from geochange.vector.files.writers import table_of

NAMES = np.array(["farmland -> building", "within farmland", None], dtype=object)


def table(count: int, seed: int = 0) -> gpd.GeoDataFrame:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 1000, (2, count))
    figures = {
        "id": np.arange(1, count + 1),
        "area_m2": 10 ** rng.uniform(-2, 10, count),
        "perimeter_m": rng.uniform(4, 40, count),
        "confidence_mean": rng.integers(127, 255, count) / 254,
        "confidence_max": np.ones(count),
        "touches_edge": np.zeros(count, bool),
        "change": NAMES[rng.integers(0, 3, count)],
    }
    return table_of(figures, shapely.box(x, y, x + 1, y + 1), UTM)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 7, 500])
def test_batches_leave_no_trace(batch: int) -> None:
    whole = table(300)
    summary = Summary()
    parts = [whole.iloc[i : i + batch] for i in range(0, len(whole), batch)]
    assert [len(part) for part in summary.of(parts)] == [len(part) for part in parts]
    assert summary.total.polygons == 300
    assert summary.total.area_m2 == pytest.approx(whole["area_m2"].sum())
    best = whole.sort_values(["confidence_mean", "area_m2"], ascending=False).head(TOP)
    assert summary.top is not None
    assert summary.top["id"].tolist() == best["id"].tolist()
    assert summary.top.crs == UTM
    counts = np.histogram(whole["confidence_mean"], np.linspace(0, 1, BINS + 1))[0]
    np.testing.assert_array_equal(summary.by_confidence, counts)
    for name in NAMES:
        rows = whole["change"].isna() if name is None else (whole["change"] == name).fillna(False)
        sums = summary.by_change[name or NO_CHANGE_NAME]
        assert sums.polygons == rows.sum()
        assert sums.area_m2 == pytest.approx(whole.loc[rows, "area_m2"].sum())


def test_sizes_are_counted_by_powers_of_ten() -> None:
    rows = table(7)
    rows["area_m2"] = [0.05, 0.5, 1.0, 99.9, 100.0, 1e8, 3e12]
    summary = Summary()
    summary.add(rows)
    counts = {power: sums.polygons for power, sums in summary.by_decade.items()}
    assert counts == {DECADES[0]: 2, 0: 1, 1: 1, 2: 1, 8: 1, DECADES[1]: 1}


def test_nothing_sums_up_to_nothing() -> None:
    summary = Summary()
    summary.add(table(0))
    assert summary.total.polygons == 0 and summary.top is None
    assert summary.by_confidence.sum() == 0


@pytest.mark.parametrize(
    ("confidence", "shown"),
    [
        ({"confidence": [0.61, 0.99]}, [0.61, 0.99]),
        ({"confidence": [0.61, None]}, [0.61, 0.72]),
        ({"confidence": [None, None]}, [0.9, 0.72]),
        ({}, [0.9, 0.72]),
    ],
)
def test_a_calibrated_confidence_is_shown_before_a_mean(
    confidence: dict[str, list[float | None]], shown: list[float]
) -> None:
    rows = table(2).drop(columns="confidence").assign(confidence_mean=[0.9, 0.72])
    rows = rows.assign(**{name: np.array(each, float) for name, each in confidence.items()})
    assert shown_confidence(rows).tolist() == shown
    assert is_calibrated(rows) == (0.61 in shown)
    if "confidence" in rows:
        summary = Summary()
        summary.add(rows)
        bins = np.histogram(shown, np.linspace(0, 1, BINS + 1))[0]
        np.testing.assert_array_equal(summary.by_confidence, bins)
