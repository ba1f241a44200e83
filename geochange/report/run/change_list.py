"""The list of changes in a page: the most confident ones, at a bounded cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geochange.grid.grid import Grid, to_ground
from geochange.grid.lonlat import representative_points
from geochange.report.facts import ListedChange
from geochange.vector.change_summary import most_confident, shown_confidence

MOST_ROWS = 1000
"""The number of changes in a list. More make a page slow, and a person reads none of them."""

_KEPT = ["id", "area_m2", "confidence", "confidence_mean", "change"]


class ChangeList:
    """Keeps the MOST_ROWS most confident changes of all batches, without their outlines."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._rows: pd.DataFrame | None = None

    def add(self, changes: gpd.GeoDataFrame) -> None:
        """Add a batch. changes: in the CRS of the grid, with the attributes of a change."""
        chosen = most_confident(changes[self._may_enter(changes)], MOST_ROWS)
        if len(chosen) == 0:
            return
        rows = chosen[_KEPT].assign(**self._places(np.asarray(chosen.geometry, np.object_)))
        seen = rows if self._rows is None else pd.concat([self._rows, rows])
        self._rows = most_confident(seen, MOST_ROWS)

    def _may_enter(self, changes: gpd.GeoDataFrame) -> NDArray[np.bool_]:
        level = shown_confidence(changes)
        if self._rows is None or len(self._rows) < MOST_ROWS:
            return np.ones(len(level), np.bool_)
        return np.asarray(level >= shown_confidence(self._rows).min())

    def _places(self, outlines: NDArray[np.object_]) -> dict[str, NDArray[np.float64]]:
        """A point in each outline, and its box as shares of the grid."""
        x, y = shapely.get_coordinates(shapely.point_on_surface(outlines)).T
        left, top, right, bottom = shapely.bounds(to_ground(outlines, ~self.grid.transform)).T
        height, width = self.grid.shape
        return {
            **{"x": x, "y": y, "row": top / height, "col": left / width},
            **{"height": (bottom - top) / height, "width": (right - left) / width},
        }

    def listed(self) -> tuple[ListedChange, ...]:
        """The changes, the most confident first."""
        if self._rows is None:
            return ()
        points = shapely.points(self._rows[["x", "y"]].to_numpy())
        centres = representative_points(points, self.grid.crs)
        rows = self._rows.assign(level=shown_confidence(self._rows)).to_dict("records")
        return tuple(_listed(row, centre) for row, centre in zip(rows, centres, strict=True))


def _listed(row: Mapping[Any, Any], centre: tuple[float, float] | None) -> ListedChange:
    name = row["change"]
    return ListedChange(
        id=int(row["id"]),
        area_m2=float(row["area_m2"]),
        confidence=float(row["level"]),
        change=name if isinstance(name, str) and name else None,
        centre=centre,
        box=(row["row"], row["col"], row["height"], row["width"]),
    )
