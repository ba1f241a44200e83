"""Change summary: sums over many changes, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

Table = TypeVar("Table", bound=pd.DataFrame)

TOP = 10
"""The number of changes that are kept as rows."""

BINS = 20
"""Bins of the histogram of confidence, from 0 to 1."""

DECADES = (-1, 9)
"""The range of powers of ten (of areas in square metres) by which changes are counted."""

NO_CHANGE_NAME = ""
"""The name of a change without class names."""


@dataclass
class Sums:
    """A number of changes, and their area in square metres."""

    polygons: int = 0
    area_m2: float = 0.0

    def add(self, areas_m2: NDArray[np.float64]) -> None:
        """Add changes of these areas."""
        self.polygons += len(areas_m2)
        self.area_m2 += float(areas_m2.sum())


@dataclass
class Summary:
    """Running sums over changes, and the changes with the highest confidence.

    by_confidence: the number in each of BINS of `shown_confidence`. by_decade: by the power of ten
    of their area. by_change: by name, such as "farmland -> building". top: at most TOP rows, sorted by
    confidence, then by mean confidence and area.
    """

    total: Sums = field(default_factory=Sums)
    by_confidence: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    by_decade: dict[int, Sums] = field(default_factory=dict)
    by_change: dict[str, Sums] = field(default_factory=dict)
    top: gpd.GeoDataFrame | None = None

    def of(self, changes: Iterable[gpd.GeoDataFrame]) -> Iterator[gpd.GeoDataFrame]:
        """Yield changes unchanged, and add each batch."""
        for batch in changes:
            self.add(batch)
            yield batch

    def add(self, batch: gpd.GeoDataFrame) -> None:
        """Add a batch of changes."""
        if len(batch) == 0:
            return
        areas = np.asarray(batch["area_m2"], np.float64)
        self.total.add(areas)
        _add_by_key(self.by_decade, _decades(areas), areas)
        _add_by_key(self.by_change, _names(batch), areas)
        bins = np.minimum(shown_confidence(batch) * BINS, BINS - 1).astype(np.int64)
        self.by_confidence += np.bincount(bins, minlength=BINS)
        seen = batch if self.top is None else pd.concat([self.top, most_confident(batch, TOP)])
        self.top = most_confident(gpd.GeoDataFrame(seen, crs=batch.crs), TOP)


def is_calibrated(changes: pd.DataFrame) -> bool:
    """Whether changes have a calibrated confidence; those that a reviewer drew have none."""
    return "confidence" in changes and bool(changes["confidence"].notna().any())


def shown_confidence(changes: pd.DataFrame) -> NDArray[np.float64]:
    """(change,) the confidence of each change by which it is coloured, listed and counted.

    It is the calibrated one; the mean probability of its pixels where that is null or missing.
    """
    mean = changes["confidence_mean"]
    own = changes["confidence"].fillna(mean) if "confidence" in changes else mean
    return np.asarray(own, np.float64)


def most_confident(changes: Table, count: int) -> Table:
    """The first rows by confidence, then by mean confidence, area and number."""
    # Without a calibrated model all of the first column is null, and the second decides.
    keys = ["confidence", "confidence_mean", "area_m2", "id"]
    # The keys alone are sorted: to move texts and polygons of all rows takes longer.
    order = changes[keys].reset_index(drop=True)
    order = order.sort_values(keys, ascending=[False, False, False, True], kind="stable")
    first: Table = changes.iloc[order.index[:count]].copy()
    return first


def _add_by_key(sums: dict[Any, Sums], keys: NDArray[Any], areas: NDArray[np.float64]) -> None:
    for key in pd.unique(keys):
        sums.setdefault(key, Sums()).add(areas[keys == key])


def _decades(areas_m2: NDArray[np.float64]) -> NDArray[np.int64]:
    powers = np.floor(np.log10(np.maximum(areas_m2, math.pow(10, DECADES[0]))))
    return np.asarray(np.clip(powers, *DECADES).astype(np.int64))


def _names(batch: gpd.GeoDataFrame) -> NDArray[np.object_]:
    return np.asarray(batch["change"].fillna(NO_CHANGE_NAME), dtype=np.object_)
