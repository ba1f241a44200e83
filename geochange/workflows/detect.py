"""The workflow of `run`: checks, plans, infers, stitches, traces polygons and writes them."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from geochange.cluster.jobs import JobClient, in_flight, reported_by_dask
from geochange.config import RunOptions
from geochange.files.output_paths import lock_output
from geochange.inputs.prepared_run import CheckedRun
from geochange.inputs.read_failure_messages import warn_skipped
from geochange.memory import limit_malloc_growth, return_free_memory
from geochange.progress import Progress, no_progress
from geochange.raster.access.dataset_pool import HANDLES
from geochange.raster.access.unreadable_areas import NOTHING_UNREADABLE, UnreadableAreas
from geochange.raster.sources.resolve import PathLike
from geochange.running import provenance
from geochange.running.blocks import process_blocks
from geochange.running.plan.disk_space import as_disk_full_error
from geochange.running.plan.plan_run import plan_run
from geochange.running.plan.run_spec import RunSpec
from geochange.running.raster_writer import RasterWriter, as_resumable_error, open_raster_writer
from geochange.running.work.open_or_resume import open_work
from geochange.running.workers import open_workers
from geochange.vector.files.writers import read_changes
from geochange.vector.tracing.region_file import RegionFile
from geochange.workflows.preflight import check_run

if TYPE_CHECKING:
    import geopandas as gpd

    from geochange.running.write_outputs import RunCompletion

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """The files of a run and its main figures.

    out, raster, report: paths, or addresses if they were uploaded. report: the HTML page, or the facts
    as JSON; None without a report.
    polygons: the number of polygons. changed_m2: their area on the ellipsoid, in square metres.
    pixels: the pixels that were processed. seen_px: those with data at both dates.
    resumed: whether the run continued an interrupted one.
    unreadable: areas that are nodata because their pixels could not be read.
    """

    out: Path | str
    raster: Path | str
    polygons: int
    changed_m2: float
    pixels: int
    seen_px: int
    seconds: float
    resumed: bool
    unreadable: UnreadableAreas = NOTHING_UNREADABLE
    report: Path | str | None = None

    @cached_property
    def changes(self) -> gpd.GeoDataFrame:
        """The polygons with their attributes, read from `out`. All of them must fit in memory."""
        return read_changes(self.out)

    def explore(self, **options: Any) -> Any:
        """The polygons on a map that moves, for notebooks. options: of `GeoDataFrame.explore`.

        Raises MissingDependencyError without the packages of `geochange[map]`.
        """
        from geochange.workflows.preview import explore_changes  # draws; few need it

        return explore_changes(self.changes, **options)

    def _repr_html_(self) -> str:
        """What a notebook shows: figures, files, the pair and the largest changes."""
        from geochange.workflows.preview import result_html

        files = [self.out, self.raster, *([self.report] if self.report else [])]
        return result_html(self.out, self.polygons, self.changed_m2, files)

    @property
    def megapixels_per_s(self) -> float:
        """Pixels of the common area per second, for the whole run."""
        return self.pixels / 1e6 / max(self.seconds, 1e-9)


def detect(
    before: PathLike,
    after: PathLike,
    out: PathLike,
    progress: Progress = no_progress,
    **options: Any,
) -> Result:
    """Detect changes between two georeferenced rasters and write them as polygons.

    before, after: paths or URLs of rasters that GDAL opens. out: .gpkg, .geojson, .fgb or .parquet, a
    path or an address of object storage; the probability raster is written beside it as .tif. options:
    the fields of RunOptions.

    Raises InputError, OptionError or OutputError before the work starts, for all that can be checked
    then. Raises RunError for later failures; the same call then resumes the run.
    """
    return run(check_run(before, after, out, RunOptions.parse(options)), progress)


def check_arguments(before: PathLike, after: PathLike, out: PathLike, **options: Any) -> None:
    """Raise the errors of `detect` for all that can be checked before the work starts."""
    check_run(before, after, out, RunOptions.parse(options))


def run(checked: CheckedRun, progress: Progress = no_progress) -> Result:
    """Run on a checked pair; see `detect`."""
    try:
        with (
            lock_output(checked.raster),
            checked.work.lock() as lock,
            as_disk_full_error(checked.out.parent),
        ):
            if checked.upload is not None:
                checked.upload.probe()
            return _run_locked(checked, lock.watched(progress))
    finally:
        if checked.upload is not None:
            checked.upload.close()


def _run_locked(checked: CheckedRun, progress: Progress) -> Result:
    limit_malloc_growth()
    clock, inputs = provenance.StageClock(), provenance.inputs(checked.pair)
    with clock.stage("look at the scene and plan"):
        _import_beside("zarr")
        work = plan_run(checked)
    return_free_memory()
    with (
        closing(HANDLES),
        open_workers(checked.options, work) as crew,
        open_work(checked, crew.work, in_flight(crew.client)) as (work, resumed),
        # The file has no name: other processes cannot open it, and the system deletes it.
        TemporaryFile(dir=checked.scratch) as outlines,
        open_raster_writer(checked, work, clock, progress) as raster,
    ):
        with clock.stage("infer, stitch and trace"), as_resumable_error():
            _import_beside("geochange.running.write_outputs")
            shelf = _process(checked, crew.client, work, outlines, progress, raster)
        # The blocks that GDAL keeps are needed no more.
        HANDLES.close()
        return_free_memory()
        provenance.refuse_changed_inputs(checked.pair, inputs)
        from geochange.running.write_outputs import publish, write_outputs

        completion = _completion(checked, work, clock, raster)
        tally = write_outputs(checked, work, shelf, completion, progress)
        out, raster_file, report = publish(checked, clock)
    return Result(
        out=out,
        raster=raster_file,
        polygons=tally.polygons,
        changed_m2=tally.changed_m2,
        pixels=work.active_tiles.pixels,
        seen_px=raster.seen_px,
        seconds=clock.seconds(),
        resumed=resumed,
        unreadable=completion.unreadable,
        report=report,
    )


def _import_beside(module: str) -> None:
    """Import a module that is needed later in a thread of its own.

    What stores blocks, and what writes tables and reports, takes half a second each. Nobody waits for it
    while pixels are read or inferred.
    """
    threading.Thread(target=import_module, args=(module,), daemon=True).start()


def _completion(
    checked: CheckedRun, work: RunSpec, clock: provenance.StageClock, raster: RasterWriter
) -> RunCompletion:
    """What the outputs need at the end of a run."""
    from geochange.running.write_outputs import RunCompletion

    unreadable = work.records.get()
    warn_skipped(checked.pair, unreadable)
    record = provenance.record(checked, work, clock, unreadable)
    return RunCompletion(record, clock, unreadable, raster)


def _process(
    checked: CheckedRun,
    client: JobClient,
    work: RunSpec,
    outlines: BinaryIO,
    progress: Progress,
    raster: RasterWriter,
) -> RegionFile:
    """Process every block, with Dask's report if it is wanted."""
    keep = checked.options.keep_work
    with reported_by_dask(client, checked.performance_page):
        return process_blocks(client, work, outlines, keep, progress, raster)
