"""Changes: from regions in pixels to the table of polygons with attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geochange.grid.grid import Grid, to_ground
from geochange.grid.probability_bytes import MAX_BYTE
from geochange.vector.files.writers import empty_changes, table_of
from geochange.vector.generalization.outline_style import OutlineStyle
from geochange.vector.generalization.simplify import Rows, draw_outlines
from geochange.vector.geodesic import geodesic_measures, pixel_m2
from geochange.vector.tracing.polygons import Table
from geochange.vector.tracing.region_file import RegionFile
from geochange.vector.tracing.regions import Regions

if TYPE_CHECKING:
    import geopandas as gpd

MIN_AREA_PX = 16
"""The default minimum area in pixels. Fewer than 4 x 4 pixels are rarely an object."""


@dataclass(frozen=True)
class ChangeNames:
    """The class names of regions, and which regions are kept.

    attributes: some of COLUMNS, one value per region. wanted: (region,) bool.
    """

    attributes: Mapping[str, Any]
    wanted: NDArray[np.bool_]


NamingFunction = Callable[[Regions], ChangeNames]


@dataclass(frozen=True)
class ConfidenceFilter:
    """The confidence of polygons, and the least confidence of those that are written.

    confidence: (region,) probabilities of being a change, from the statistics of regions (REGION).
    """

    confidence: Callable[[Table], NDArray[np.float64]]
    least: float = 0.0


@dataclass
class ChangeTotals:
    """The number of polygons, and their area in square metres on the ellipsoid."""

    polygons: int = 0
    changed_m2: float = 0.0

    def of(self, changes: Iterable[gpd.GeoDataFrame]) -> Iterator[gpd.GeoDataFrame]:
        """Pass changes through, and count them."""
        for batch in changes:
            self.polygons += len(batch)
            self.changed_m2 += float(batch["area_m2"].sum())
            yield batch


def to_changes(
    region_file: RegionFile,
    grid: Grid,
    style: OutlineStyle,
    min_area_m2: float | None,
    name: NamingFunction | None = None,
    sure: ConfidenceFilter | None = None,
) -> Iterator[gpd.GeoDataFrame]:
    """Polygons in the CRS with their attributes, in the order of their first pixels.

    They come in batches. The first may be empty, and ids continue over batches. style: the style of
    outlines. min_area_m2: smaller polygons are left out; None uses the area of MIN_AREA_PX pixels in the
    middle of the grid. name: assigns class names, if given. sure: assigns confidences, if given, and
    leaves out polygons below the least one.
    """
    # The tolerance keeps an area of exactly the minimum.
    smallest = MIN_AREA_PX * pixel_m2(grid) if min_area_m2 is None else min_area_m2
    smallest *= 1 - 1e-9
    outlines = draw_outlines(region_file, style)
    count = 0
    yield empty_changes(grid.crs)
    for chosen in region_file.batches():
        polygons = outlines.of(chosen)
        area_m2, perimeter_m = geodesic_measures(polygons, grid)
        wanted, confidence = _sure(region_file.rows[chosen], sure)
        large = np.flatnonzero(wanted & (area_m2 >= smallest))
        kept, names = _name(region_file, chosen, large, name)
        if len(kept) == 0:
            continue
        figures = {
            "id": np.arange(count + 1, count + len(kept) + 1, dtype=np.int64),
            "area_m2": area_m2[kept],
            "perimeter_m": perimeter_m[kept],
            **_change_attributes(region_file.rows[chosen[kept]]),
            "confidence": confidence[kept],
        }
        yield table_of({**figures, **names}, to_ground(polygons[kept], grid.transform), grid.crs)
        count += len(kept)


def _change_attributes(rows: Table) -> dict[str, Any]:
    return {
        "confidence_mean": rows["total"] / rows["pixels"] / MAX_BYTE,
        "confidence_max": rows["peak"] / MAX_BYTE,
        "touches_edge": rows["at_edge"],
    }


def _sure(
    rows: Table, sure: ConfidenceFilter | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which regions are sure enough, and the confidence of all; NaN without a filter."""
    if sure is None:
        return np.ones(len(rows), np.bool_), np.full(len(rows), np.nan)
    confidence = sure.confidence(rows)
    return confidence >= sure.least, confidence


def _name(
    region_file: RegionFile, chosen: Rows, kept: Rows, name: NamingFunction | None
) -> tuple[Rows, dict[str, Any]]:
    """Which of the kept regions are wanted, and their names."""
    if name is None:
        return kept, {}
    named = name(region_file.read(chosen[kept]))
    wanted = named.wanted
    names = {key: np.asarray(every)[wanted] for key, every in named.attributes.items()}
    return kept[wanted], names
