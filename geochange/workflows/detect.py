"""The workflow of `run`: checks, plans, infers, stitches, traces polygons and writes them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import geopandas as gpd

from geochange.config import RunOptions
from geochange.errors import InputError, OptionError
from geochange.files.output_paths import lock_output
from geochange.grid.probability import level
from geochange.inputs.checked_run import CheckedRun
from geochange.inputs.choose_model import choose_model
from geochange.inputs.inspection import Inspection, coregister, inspect_scene
from geochange.inputs.read_failures import warn_skipped, warn_unsampled
from geochange.land import LIKELY
from geochange.memory import settle
from geochange.models import ModelSpec, resident
from geochange.models.inference.predict import (
    classes_of,
    confidence_of,
    land_classes_of,
    naming_of,
)
from geochange.mosaic.schedule import in_flight
from geochange.progress import Progress, silent
from geochange.raster.access.handles import HANDLES
from geochange.raster.access.unreadable import NOTHING_UNREADABLE, Unreadable
from geochange.raster.scene.sampling import SceneSample, say_fills
from geochange.raster.sources.resolve import PathLike
from geochange.report.run.write import picture_px
from geochange.running import provenance
from geochange.running.blocks import process_blocks
from geochange.running.change_names import chosen
from geochange.running.confidence import confidence_for
from geochange.running.disk_space import check_space, disk_space_of, room_in
from geochange.running.raster_writer import open_raster_writer, worth_going_on
from geochange.running.scope import register_area
from geochange.running.tasks import RunSpec
from geochange.running.work_folder import WorkFolder
from geochange.running.workers import open_workers
from geochange.running.write_outputs import RunEnd, write_outputs
from geochange.vector.files.writers import read_changes
from geochange.vector.geodesic import pixel_m2
from geochange.workflows.preflight import check_run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """The files of a run and its main figures.

    report: the HTML page, or the facts as JSON; None without a report.
    polygons: the number of polygons. changed_m2: their area on the ellipsoid, in square metres.
    pixels: the pixels that were processed. seen_px: those with data at both dates.
    resumed: whether the run continued an interrupted one.
    unreadable: areas that are nodata because their pixels could not be read.
    """

    out: Path
    raster: Path
    polygons: int
    changed_m2: float
    pixels: int
    seen_px: int
    seconds: float
    resumed: bool
    unreadable: Unreadable = NOTHING_UNREADABLE
    report: Path | None = None

    @cached_property
    def changes(self) -> gpd.GeoDataFrame:
        """The polygons with their attributes, read from `out`. All of them must fit in memory."""
        return read_changes(self.out)

    @property
    def megapixels_per_s(self) -> float:
        """Pixels of the common area per second, for the whole run."""
        return self.pixels / 1e6 / max(self.seconds, 1e-9)


def detect(
    before: PathLike,
    after: PathLike,
    out: PathLike,
    progress: Progress = silent,
    **options: Any,
) -> Result:
    """Detect changes between two georeferenced rasters and write them as polygons.

    before, after: paths or URLs of rasters that GDAL opens. out: .gpkg, .geojson, .fgb or .parquet;
    the probability raster is written beside it as .tif. options: the fields of RunOptions.

    Raises InputError, OptionError or OutputError before the work starts, for all that can be checked
    then. Raises RunError for later failures; the same call then resumes the run.
    """
    return run(check_run(before, after, out, RunOptions.parse(options)), progress)


def run(checked: CheckedRun, progress: Progress = silent) -> Result:
    """Run on a checked pair; see `detect`."""
    with lock_output(checked.raster), room_in(checked.out.parent):
        return _run_alone(checked, progress)


def _run_alone(checked: CheckedRun, progress: Progress) -> Result:
    settle()
    clock = provenance.Clock()
    inputs = provenance.inputs(checked.pair)
    with clock.stage("look at the scene and plan"):
        work = plan_work(checked)
    with (
        closing(HANDLES),
        open_workers(checked.options, work) as crew,
        _work_folder(checked, crew.work, in_flight(crew.client)) as resumed,
        # The file has no name: other processes cannot open it, and the system deletes it.
        TemporaryFile(dir=work.folder) as outlines,
        open_raster_writer(checked, crew.work, clock, progress) as raster,
    ):
        work, keep = crew.work, checked.options.keep_work
        with clock.stage("infer, stitch and trace"), worth_going_on():
            shelf = process_blocks(crew.client, work, outlines, keep, progress, raster)
        provenance.refuse_changed(checked.pair, inputs)
        unreadable = work.records.get()
        warn_skipped(checked.pair, unreadable)
        record = provenance.record(checked, work, clock, unreadable)
        tally = write_outputs(
            checked, work, shelf, RunEnd(record, clock, unreadable, raster), progress
        )
    return Result(
        out=checked.out,
        raster=checked.raster,
        polygons=tally.polygons,
        changed_m2=tally.changed_m2,
        pixels=work.scope.pixels,
        seen_px=raster.seen_px,
        seconds=clock.seconds(),
        resumed=resumed,
        unreadable=unreadable,
        report=None if checked.sidecars is None else checked.sidecars.report,
    )


def plan_work(checked: CheckedRun) -> RunSpec:
    """Derive from the scene what all tiles share: shift, stretch, statistics."""
    options = checked.options
    # With a scheduler, the workers choose their own devices; see `settle_spec`.
    spec = choose_model(options.model, options, "auto" if options.scheduler else options.device)
    model = resident(spec)
    # An unknown name is refused before any pixel is read.
    only = chosen(options.only, classes_of(model), land_classes_of(model))
    threshold = model.threshold if options.threshold is None else options.threshold
    spec = _seeing(spec, only.land, threshold)
    rule = None if only.land else confidence_of(model)
    pixel_m = sqrt(pixel_m2(checked.pair.grid))
    sample, checks = _look(checked)
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
        level=level(threshold),
        folder=WorkFolder.for_output(checked.out).path,
        classes=classes_of(model),
        land=land_classes_of(model),
        naming=naming_of(model),
        confidence=confidence_for(rule, pixel_m, options.min_confidence, options.model),
        skip_unreadable=options.skip_unreadable,
        unsampled=sample.unreadable,
        area=None if checked.area is None else register_area(checked.area),
        checks=checks,
        picture_px=picture_px(checked),
    )


def _seeing(spec: ModelSpec, only: tuple[str, ...], threshold: float) -> ModelSpec:
    """The spec of a model that looks what stands there wherever a polygon may come to lie."""
    # Most thresholds are higher, and resume what others have begun.
    likely = threshold if threshold < LIKELY else None
    return replace(spec, prompting=replace(spec.prompting, only=only, likely=likely))


def _look(checked: CheckedRun) -> tuple[SceneSample, Inspection | None]:
    """The scene sample of the pair as it is processed, and the inspection of the pair."""
    sample = SceneSample(checked.pair, spare=True, area=checked.area).heeding_fills()
    if checked.options.skip_checks and not checked.options.coregister:
        say_fills(sample)
        return sample, None
    seen = inspect_scene(sample)
    if checked.options.coregister:
        sample, seen = coregister(sample, seen)
        if seen.put_back is None and not seen.shift.trusted:
            logger.warning("--coregister: %s; nothing was moved", seen.shift.doubt)
    for warning in seen.warnings:
        logger.warning("%s", warning)
    return sample, seen


@contextmanager
def _work_folder(checked: CheckedRun, work: RunSpec, tasks: int) -> Iterator[bool]:
    """The stores of this run, new or from an interrupted run. They are deleted after the outputs.

    tasks: the number of tasks that are submitted at once.
    """
    folder = WorkFolder(work.folder)
    share = work.scope.share
    kept, land = checked.options.keep_work, bool(work.land)
    space = disk_space_of(work.plan, len(work.classes), tasks, kept, share, land)
    check_space(space, checked.out.parent, work.folder)
    if not work.skip_unreadable and work.records.any():
        # The earlier run skipped unreadable pixels; this run must not.
        logger.warning("the last run skipped unreadable pixels: starting afresh")
        folder.remove()
    fingerprint = provenance.fingerprint(work)
    resumed = folder.begin(fingerprint)
    work.create_stores(resumed)
    if not resumed:
        folder.commit(fingerprint)
    try:
        yield resumed
    except (InputError, OptionError):
        # A refused run leaves no folder behind, but the work of an earlier run stays.
        if not resumed:
            folder.remove()
        raise
    if not checked.options.keep_work:
        folder.remove()
