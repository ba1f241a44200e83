"""A run that is ready to start: its pair, plan, options and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geochange.config import RunOptions
from geochange.files.report_files import ReportFiles
from geochange.grid.tiling import TilePlan
from geochange.raster.pair import RasterPair
from geochange.raster.scene.radiometry import StretchMode
from geochange.vector.aoi import AreaOfInterest


@dataclass(frozen=True)
class CheckedRun:
    """A run that is ready to start. All inputs of the user are checked.

    pair, area: on one grid, cropped to the area of interest if there is one.
    out, raster: the file of polygons and the probability raster. report_files: paths of the files beside
    them, such as the report.
    """

    pair: RasterPair
    area: AreaOfInterest | None
    plan: TilePlan
    stretch: StretchMode
    options: RunOptions
    out: Path
    raster: Path
    report_files: ReportFiles | None = None
