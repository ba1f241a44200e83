"""A run that is ready to start: its pair, plan, options and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geochange.config import RunOptions
from geochange.files.report_files import ReportFiles
from geochange.grid.tiling import TilePlan
from geochange.raster.pair import RasterPair
from geochange.raster.scene.radiometry import StretchMode
from geochange.storage.uploads import Upload
from geochange.storage.work_store import WorkStore
from geochange.vector.aoi import AreaOfInterest


@dataclass(frozen=True)
class CheckedRun:
    """A run that is ready to start. All inputs of the user are checked.

    pair, area: on one grid, cropped to the area of interest if there is one.
    out, raster: the file of polygons and the probability raster. report_files: paths of the files beside
    them, such as the report.
    work: where the run keeps its work. upload: where the outputs go at the end, if `out` is only aside.
    performance_page: where Dask reports on its workers.
    """

    pair: RasterPair
    area: AreaOfInterest | None
    plan: TilePlan
    stretch: StretchMode
    options: RunOptions
    out: Path
    raster: Path
    work: WorkStore
    report_files: ReportFiles | None = None
    upload: Upload | None = None
    performance_page: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All outputs, the polygons last: without the others they would look like a complete run."""
        beside = self.report_files
        others = () if beside is None else (beside.report, beside.item)
        return (self.raster, *others, self.out)

    @property
    def scratch(self) -> Path:
        """A folder on this machine for files that only the main process needs, during the run."""
        return self.work.folder or self.out.with_name(f".{self.out.name}.work")
