"""A run that can begin: its pair, its plan, its options and its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geochange.config import RunOptions
from geochange.files.sidecars import Sidecars
from geochange.grid.tiling import TilePlan
from geochange.raster.pair import RasterPair
from geochange.raster.scene.radiometry import Stretch
from geochange.vector.aoi import AreaOfInterest


@dataclass(frozen=True)
class CheckedRun:
    """A run that can begin: everything a user may have got wrong has been looked at.

    pair, area: where the dates are on one grid, cropped to the area if there is one.
    out, raster: the polygons and, beside them, the probability. beside: the report, if any.
    """

    pair: RasterPair
    area: AreaOfInterest | None
    plan: TilePlan
    stretch: str | Stretch
    options: RunOptions
    out: Path
    raster: Path
    sidecars: Sidecars | None = None
