"""Writes the outputs of a run: the probability raster, and the polygons batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import geopandas as gpd

from geochange.inputs.prepared_run import CheckedRun
from geochange.inputs.qgis_layer import qgis_picture_of
from geochange.progress import Progress
from geochange.qgis.project import Scene
from geochange.raster.access.unreadable_areas import UnreadableAreas
from geochange.raster.pictures.overview import Overview
from geochange.report.run.gather_facts import RunOutcome
from geochange.report.run.reporter import Reporter
from geochange.running.plan.run_spec import RunSpec
from geochange.running.polygon_class_names import ChangeNamer, LandNamer, choose_classes
from geochange.running.provenance import StageClock
from geochange.running.raster_writer import RasterWriter, as_resumable_error
from geochange.vector.changes import ChangeTotals, NamingFunction, to_changes
from geochange.vector.files.overwrite import refuse_foreign, refuse_reviewed
from geochange.vector.files.writers import write_batches
from geochange.vector.generalization.outline_style import outline_style_for
from geochange.vector.tracing.coverage import Coverage
from geochange.vector.tracing.region_file import RegionFile


@dataclass(frozen=True)
class RunCompletion:
    """What the outputs need at the end of a run.

    record: their metadata. clock: times each output. raster: the writer, which has all blocks.
    """

    record: dict[str, str]
    clock: StageClock
    unreadable: UnreadableAreas
    raster: RasterWriter


def write_outputs(
    checked: CheckedRun,
    work: RunSpec,
    region_file: RegionFile,
    ending: RunCompletion,
    progress: Progress,
) -> ChangeTotals:
    """Write raster and polygons in parallel, then the report.

    The raster is complete first, because polygons without it would look like a complete run. Raises
    RunError.
    """
    clock, raster, tally = ending.clock, ending.raster, ChangeTotals()
    reporter = _reporter(checked, work)
    changes = tally.of(_change_batches(checked, work, region_file))
    with as_resumable_error(), ThreadPoolExecutor(2, "look") as pool:
        # Meanwhile a person may have started a review, or created another file of that name.
        refuse_reviewed(checked.out, checked.options.overwrite)
        refuse_foreign(checked.out, checked.options.overwrite)
        written = raster.end()
        if reporter is not None:
            reporter.work_beside(pool)
        with clock.stage("draw and write polygons"):
            seen = changes if reporter is None else reporter.of(changes)
            scene = partial(_scene, checked, work, raster.coverage)
            write_batches(chain(seen, _wait_for(written)), checked.out, ending.record, scene)
        if reporter is not None:
            told = RunOutcome(ending.record, raster.seen_px, clock.stages, ending.unreadable)
            reporter.write(told)
    progress("write", work.plan.full_window.pixels, work.plan.full_window.pixels)
    return tally


def _wait_for(other: Future[None]) -> Iterator[gpd.GeoDataFrame]:
    """Yields no table, but waits for the other future. Raises its error."""
    other.result()
    yield from ()


def _reporter(checked: CheckedRun, work: RunSpec) -> Reporter | None:
    if checked.report_files is None:
        return None
    # Of the pair as it was processed, with coregistration.
    return Reporter(
        replace(checked, pair=work.pair), checked.report_files, partial(_stored_overviews, work)
    )


def _stored_overviews(work: RunSpec) -> tuple[Overview, Overview] | None:
    """Both dates as inference saw them, if thumbnails were kept."""
    small = None if work.pictures is None else work.pictures.get(work.active_tiles.blocks())
    return None if small is None else (Overview(*small[0]), Overview(*small[1]))


def _scene(checked: CheckedRun, work: RunSpec, coverage: Coverage) -> Scene:
    """What a map of the run shows besides the polygons, after the probability is written."""
    return Scene(
        grid=checked.pair.grid,
        coverage=coverage.polygons(),
        before=qgis_picture_of(work.pair.before),
        after=qgis_picture_of(work.pair.after),
        probability=checked.raster,
        file=checked.out,
    )


def _change_batches(
    checked: CheckedRun, work: RunSpec, region_file: RegionFile
) -> Iterator[gpd.GeoDataFrame]:
    grid, options = checked.pair.grid, checked.options
    style = outline_style_for(grid, options.simplify, options.smooth, options.orthogonal)
    only = choose_classes(options.only, work.classes, work.land)
    places = ChangeNamer(work.scores, only.places, work.naming) if work.classes else None
    name: NamingFunction | None = places
    if work.land:
        name = LandNamer(work.land, places)
    return to_changes(region_file, grid, style, options.min_area, name, work.confidence.filter())


def publish(
    checked: CheckedRun, clock: StageClock
) -> tuple[Path | str, Path | str, Path | str | None]:
    """Upload the outputs, if they go to a bucket. Returns where polygons, raster and report are."""
    report = None if checked.report_files is None else checked.report_files.report
    upload = checked.upload
    if upload is None:
        return checked.out, checked.raster, report
    with clock.stage("upload"):
        upload.finish(checked.files)
    places = upload.url_of(checked.out), upload.url_of(checked.raster)
    return *places, None if report is None else upload.url_of(report)
