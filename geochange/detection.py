"""The story of `run`: check, plan, infer, stitch, vectorise, write."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from geochange import provenance
from geochange.budget import Budget, block_bytes, cache_bytes, check_limit
from geochange.check import Checked, PathLike, check
from geochange.config import ModelOptions, RunOptions
from geochange.errors import InputError, OptionError, OutputError, RunError
from geochange.faults import Faults, say_skipped, say_unsampled
from geochange.geo.changes import to_changes
from geochange.geo.cog import write_cog
from geochange.geo.polygons import BlockRegions, Joiner, Regions
from geochange.geo.probability import level
from geochange.geo.sampling import SceneSample
from geochange.geo.unreadable import NOTHING, Unreadable
from geochange.geo.vector import write_changes
from geochange.memory import resident_bytes, settle
from geochange.models import ModelSpec, Prompting, class_spec, kind_of, resident, weights_spec
from geochange.models.predict import choose_device, classes_of, cores
from geochange.mosaic.release import Release
from geochange.mosaic.schedule import (
    Client,
    Job,
    connect,
    in_flight,
    machine_bytes,
    run_bounded,
    threads_of,
)
from geochange.places import claimed
from geochange.progress import Progress, silent
from geochange.space import check_space, space_of
from geochange.tasks import Work, jobs, network_bytes
from geochange.workfolder import WorkFolder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What a run gives: the files, the polygons, and figures about both.

    pixels: of the common ground. resumed: whether an earlier, broken run had begun the work.
    unreadable: what is nodata for want of its pixels.
    """

    out: Path
    raster: Path
    changes: gpd.GeoDataFrame
    pixels: int
    seconds: float
    resumed: bool
    unreadable: Unreadable = NOTHING

    @property
    def polygons(self) -> int:
        """How many polygons were written."""
        return len(self.changes)

    @property
    def changed_m2(self) -> float:
        """Area of all polygons, square metres on the ellipsoid."""
        return float(self.changes["area_m2"].sum())

    @property
    def megapixels_per_s(self) -> float:
        """Pixels of the common ground a second, everything included."""
        return self.pixels / 1e6 / max(self.seconds, 1e-9)


def detect(
    before: PathLike,
    after: PathLike,
    out: PathLike,
    progress: Progress = silent,
    **options: Any,
) -> Result:
    """Find what changed between two georeferenced rasters and write it as polygons.

    before, after: any raster GDAL opens, paths or URLs. out: .gpkg, .geojson, .fgb or .parquet;
    the probability raster is written beside it as .tif. options: the fields of RunOptions.

    Raises InputError, OptionError or OutputError before any work for whatever can be known then,
    RunError for what breaks later on; the same call again then goes on where it was.
    """
    return run(check(before, after, out, RunOptions.parse(options)), progress)


def run(checked: Checked, progress: Progress = silent) -> Result:
    """Work a checked pair; see `detect`."""
    with claimed(checked.raster):
        return _run_alone(checked, progress)


def _run_alone(checked: Checked, progress: Progress) -> Result:
    settle()
    clock = provenance.Clock()
    inputs = provenance.inputs(checked.pair)
    work = plan_work(checked)
    options = checked.options
    with (
        open_client(options, work) as (client, _),
        _work_folder(checked, work, in_flight(client)) as resumed,
    ):
        regions = _work_blocks(client, work, options.keep_work, progress)
        changes = to_changes(regions, checked.pair.grid, options.simplify, options.min_area)
        provenance.refuse_changed(checked.pair, inputs)
        unreadable = work.records.get()
        say_skipped(checked.pair, unreadable)
        record = provenance.record(checked, work, clock, unreadable)
        with _worth_going_on():
            _write(checked, work, changes, record, progress)
    return Result(
        out=checked.out,
        raster=checked.raster,
        changes=changes,
        pixels=checked.plan.whole.pixels,
        seconds=clock.seconds(),
        resumed=resumed,
        unreadable=unreadable,
    )


@contextmanager
def _worth_going_on() -> Iterator[None]:
    """What cannot be written by now is no refusal: all that was worked is kept."""
    try:
        yield
    except OutputError as error:
        raise RunError(str(error)) from error


def plan_work(checked: Checked) -> Work:
    """Take from the scene what must be the same for all its tiles: stretch and statistics."""
    options = checked.options
    spec = choose_model(options.model, options)
    model = resident(spec)
    sample = SceneSample(checked.pair, spare=True)
    radiometry = sample.radiometry(checked.stretch)
    statistics = model.fit(sample.chips(radiometry))
    say_unsampled(checked.pair, sample.unreadable)
    threshold = model.threshold if options.threshold is None else options.threshold
    return Work(
        pair=checked.pair,
        plan=checked.plan,
        radiometry=radiometry,
        spec=replace(spec, statistics=statistics),
        taper=options.taper,
        batch=options.batch,
        level=level(threshold),
        folder=WorkFolder.beside(checked.out).path,
        classes=classes_of(model),
        skip_unreadable=options.skip_unreadable,
        unsampled=sample.unreadable,
    )


def choose_model(name: str, options: ModelOptions) -> ModelSpec:
    """What every worker will build; what is measured or read is so once, here.

    Raises OptionError, InputError.
    """
    device = choose_device(options.device)
    if kind_of(name) == "class":
        return class_spec(name, device)
    prompting = Prompting(
        clip=options.clip,
        prompts=options.prompts,
        precision=options.precision,
        compiled=options.compile,
    )
    return weights_spec(name, device, prompting, options.vocabulary)


@contextmanager
def open_client(options: RunOptions, work: Work) -> Iterator[tuple[Client, Budget]]:
    """The workers of a run, as many threads of them as fit into memory, and what they will take.

    What the workers of another machine's scheduler may take is for those who started them.
    Raises OptionError.
    """
    threads = options.threads or threads_of(options.workers)
    budget = Budget(
        process=resident_bytes() + cache_bytes(work.pair),
        network=network_bytes(work),
        block=block_bytes(work.pair, work.plan, work.radiometry),
        processes=options.workers,
        threads=threads,
    )
    if options.scheduler is None:
        budget = check_limit(budget, options.max_memory, machine_bytes())
    with connect(options.scheduler, options.workers, budget.threads, cores()) as client:
        yield client, budget


@contextmanager
def _work_folder(checked: Checked, work: Work, tasks: int) -> Iterator[bool]:
    """The stores of this run, new or as an earlier one left them; removed once all is written.

    tasks: how many will be submitted at once.
    """
    folder = WorkFolder(work.folder)
    space = space_of(work.plan, len(work.classes), tasks, checked.options.keep_work)
    check_space(space, checked.out.parent, work.folder)
    if not work.skip_unreadable and work.records.any():
        # An earlier run went on without what it could not read; this one may not.
        logger.warning("the last run skipped unreadable pixels: starting afresh")
        folder.remove()
    fingerprint = provenance.fingerprint(work)
    resumed = folder.begin(fingerprint)
    if not resumed:
        work.create_stores()
        folder.commit(fingerprint)
    try:
        yield resumed
    except (InputError, OptionError):
        # Refused after all: a refusal leaves nothing behind, what an earlier run did stays.
        if not resumed:
            folder.remove()
        raise
    if not checked.options.keep_work:
        folder.remove()


def _work_blocks(client: Client, work: Work, keep_logits: bool, progress: Progress) -> Regions:
    """Infer, stitch and vectorise every block; the regions come back joined."""
    plan = work.plan
    joiner = Joiner(plan.shape)
    release = Release(work.logits)
    tiles_done = pixels_done = 0
    progress("infer", 0, plan.whole.pixels)
    progress("polygons", 0, plan.whole.pixels)
    faults = Faults(work.pair)

    def take(job: Job, answer: int | BlockRegions) -> None:
        nonlocal tiles_done, pixels_done
        if isinstance(answer, BlockRegions):
            joiner.add(answer)
            if not keep_logits:
                release.finished(job.arguments[1])
            pixels_done += answer.window.pixels
            progress("polygons", pixels_done, plan.whole.pixels)
        else:
            tiles_done += answer
            faults.worked()
            progress("infer", plan.whole.pixels * tiles_done // plan.tile_count, plan.whole.pixels)

    run_bounded(client, jobs(work), take, faults.spare)
    if not work.skip_unreadable:
        faults.settle(work.unsampled)
    return joiner.finish()


def _write(
    checked: Checked,
    work: Work,
    changes: gpd.GeoDataFrame,
    record: dict[str, str],
    progress: Progress,
) -> None:
    """The raster first: polygons without it would look finished."""
    grid, total = checked.pair.grid, work.plan.whole.pixels
    blocks = _probability_blocks(work, progress)
    write_cog(blocks, checked.raster, grid.shape, grid.crs, grid.transform, work.folder)
    write_changes(changes, checked.out, record)
    progress("write", total, total)


def _probability_blocks(
    work: Work, progress: Progress
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    done = 0
    for window in work.plan.output_windows():
        yield window.row, window.col, work.probability.get(window)
        done += window.pixels
        # Overviews and the reordering into a COG take as long again as the blocks themselves.
        progress("write", done // 2, work.plan.whole.pixels)
