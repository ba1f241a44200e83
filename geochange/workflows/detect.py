"""The workflow of `run`: checks, plans, infers, stitches, traces polygons and writes them."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from math import sqrt
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from geochange.config import RunOptions
from geochange.files.output_paths import lock_output
from geochange.grid.probability import threshold_byte
from geochange.inputs.checked_run import CheckedRun
from geochange.inputs.choose_engine import choose_engine
from geochange.inputs.choose_model import choose_model
from geochange.inputs.inspection import Comparison, Inspection, coregister, inspect_scene
from geochange.inputs.read_failure_messages import warn_skipped, warn_unsampled
from geochange.land_cover import LIKELY_CHANGE
from geochange.memory import limit_malloc_growth, return_free_memory
from geochange.models import ModelSpec, cached_scene_model
from geochange.models.catalogue import scope_of
from geochange.models.inference.prediction import (
    class_colours_of,
    classes_of,
    confidence_of,
    land_classes_of,
    naming_of,
)
from geochange.mosaic.jobs import JobClient, in_flight, reported_by_dask
from geochange.progress import Progress, no_progress
from geochange.raster.access.handles import HANDLES
from geochange.raster.access.unreadable_areas import NOTHING_UNREADABLE, UnreadableAreas
from geochange.raster.scene.decibels import Decibels
from geochange.raster.scene.sampling import SceneSample, warn_fills
from geochange.raster.sources.resolve import PathLike
from geochange.report.run.picture_size import picture_px
from geochange.running import provenance
from geochange.running.active_tiles import register_area
from geochange.running.blocks import process_blocks
from geochange.running.confidence import confidence_for
from geochange.running.disk_space import as_disk_full_error
from geochange.running.polygon_class_names import choose_classes
from geochange.running.raster_writer import RasterWriter, as_resumable_error, open_raster_writer
from geochange.running.tasks import RunSpec
from geochange.running.work.opening import open_work
from geochange.running.workers import open_workers
from geochange.vector.changes import MIN_AREA_PX
from geochange.vector.files.writers import read_changes
from geochange.vector.geodesic import pixel_m2
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
            _import_writers()
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


def _import_writers() -> None:
    """Import what writes tables and reports in a thread of its own, while blocks are inferred.

    It takes half a second. The first block does not wait for it, nor the last one.
    """
    module = "geochange.running.write_outputs"
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


def plan_run(checked: CheckedRun) -> RunSpec:
    """Derive from the scene what all tiles share: shift, stretch, statistics."""
    options = checked.options
    # With a scheduler, the workers choose their own devices; see `spec_for_workers`.
    device = "auto" if options.scheduler else options.device
    spec = choose_model(options.model, options, device, choose_engine(options))
    logger.info("engine: %s on %s", spec.prompting.engine, spec.device)
    model = cached_scene_model(spec)
    # An unknown name is refused before any pixel is read.
    only = choose_classes(options.only, classes_of(model), land_classes_of(model))
    threshold = model.threshold if options.threshold is None else options.threshold
    spec = _with_land_classes(spec, only.land, threshold)
    rule = confidence_of(model)
    rule = rule.of_classes() if rule and only.land else rule
    pixel_m = sqrt(pixel_m2(checked.pair.grid))
    sample, checks = _sample_and_inspect(checked)
    radiometry = sample.radiometry(checked.stretch, options.match)
    statistics = model.fit(sample.chips(radiometry))
    warn_unsampled(checked.pair, sample.unreadable)
    return RunSpec(
        pair=sample.pair,
        plan=checked.plan,
        radiometry=radiometry,
        spec=replace(spec, statistics=statistics),
        taper=options.taper,
        batch=options.batch,
        level=threshold_byte(threshold),
        folder=checked.work,
        classes=classes_of(model),
        land=land_classes_of(model),
        colours=class_colours_of(model),
        naming=naming_of(model),
        confidence=confidence_for(rule, pixel_m, options.min_confidence, options.model),
        skip_unreadable=options.skip_unreadable,
        unsampled=sample.unreadable,
        area=None if checked.area is None else register_area(checked.area),
        checks=checks,
        picture_px=picture_px(checked),
        least_px=_least_px(checked),
    )


def _least_px(checked: CheckedRun) -> int:
    """Regions of fewer pixels are never written, however their outlines are drawn.

    Drawing moves outlines by half a pixel or so, which a few times the area makes up for.
    """
    options = checked.options
    if options.simplify > RunOptions.model_fields["simplify"].default or options.smooth:
        return 0
    smallest = options.min_area
    least = MIN_AREA_PX if smallest is None else smallest / pixel_m2(checked.pair.grid)
    return int(least / 4)


def _with_land_classes(spec: ModelSpec, only: tuple[str, ...], threshold: float) -> ModelSpec:
    """The spec of a model that looks what stands there wherever a polygon may come to lie."""
    # Most thresholds are higher, and resume what others have begun.
    likely = threshold if threshold < LIKELY_CHANGE else None
    return replace(spec, prompting=replace(spec.prompting, only=only, likely=likely))


def _sample_and_inspect(checked: CheckedRun) -> tuple[SceneSample, Inspection | None]:
    """The scene sample of the pair as it is processed, and the inspection of the pair."""
    sample = SceneSample(checked.pair, skip_unreadable=True, area=checked.area).with_fills_masked()
    if checked.options.skip_checks and not checked.options.coregister:
        warn_fills(sample)
        return sample, None
    how = Comparison(checked.stretch, checked.options.match, scope_of(checked.options.model))
    seen = inspect_scene(sample, how)
    if isinstance(checked.stretch, Decibels):
        seen = seen.of_radar()
    if checked.options.coregister:
        sample, seen = coregister(sample, seen)
        if seen.put_back is None and not seen.shift.trusted:
            logger.warning("--coregister: %s; nothing was moved", seen.shift.why_untrusted)
    for warning in seen.warnings:
        logger.warning("%s", warning)
    return sample, seen
