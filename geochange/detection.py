"""The story of `run`: check, plan, infer, stitch, vectorise, write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from geochange import provenance
from geochange.check import Checked, PathLike, check
from geochange.config import ModelOptions, RunOptions
from geochange.errors import InputError, OptionError
from geochange.fleet import settle_workers
from geochange.geo.changes import to_changes
from geochange.geo.cog import write_cog
from geochange.geo.polygons import BlockRegions, Joiner, Regions
from geochange.geo.probability import level
from geochange.geo.radiometry import choose
from geochange.geo.sampling import sample_scene
from geochange.geo.vector import write_changes
from geochange.memory import settle
from geochange.models import ModelSpec, Prompting, class_spec, kind_of, resident, weights_spec
from geochange.models.devices import choose_device, choose_devices
from geochange.models.predict import classes_of, cores
from geochange.mosaic.schedule import Client, Job, connect, run_bounded
from geochange.progress import Progress, silent
from geochange.tasks import Work, jobs
from geochange.workfolder import WorkFolder


@dataclass(frozen=True)
class Result:
    """What a run gives: the files, the polygons, and figures about both.

    pixels: of the common ground. resumed: whether an earlier, broken run had begun the work.
    """

    out: Path
    raster: Path
    changes: gpd.GeoDataFrame
    pixels: int
    seconds: float
    resumed: bool

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
    settle()
    clock = provenance.Clock()
    work = plan_work(checked)
    options = checked.options
    with ExitStack() as stack:
        client = stack.enter_context(
            connect(options.scheduler, options.workers, options.threads, cores())
        )
        if options.scheduler is not None:
            work = replace(work, spec=settle_workers(client, work.spec, options))
        resumed = stack.enter_context(_work_folder(checked, work))
        regions = _work_blocks(client, work, progress)
        changes = to_changes(regions, checked.pair.grid, options.simplify, options.min_area)
        _write(checked, work, changes, clock, progress)
    return Result(
        out=checked.out,
        raster=checked.raster,
        changes=changes,
        pixels=checked.plan.whole.pixels,
        seconds=clock.seconds(),
        resumed=resumed,
    )


def plan_work(checked: Checked) -> Work:
    """Take from the scene what must be the same for all its tiles: stretch and statistics."""
    options = checked.options
    # With a scheduler the workers settle their devices by themselves; see `settle_workers`.
    spec = choose_model(options.model, options, "auto" if options.scheduler else options.device)
    model = resident(spec)
    sample = sample_scene(checked.pair)
    radiometry = choose(checked.stretch, *sample.pixels())
    statistics = model.fit(sample.chips(radiometry))
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
    )


def choose_model(name: str, options: ModelOptions, devices: str | None = None) -> ModelSpec:
    """What every worker will build; what is measured or read is so once, here.

    devices: one, or a list of GPUs; that of the options where None. Raises OptionError, InputError.
    """
    here = (choose_device(options.device),) if devices is None else choose_devices(devices)
    device = ",".join(here)
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
def _work_folder(checked: Checked, work: Work) -> Iterator[bool]:
    """The stores of this run, new or as an earlier one left them; removed once all is written."""
    folder = WorkFolder(work.folder)
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


def _work_blocks(client: Client, work: Work, progress: Progress) -> Regions:
    """Infer, stitch and vectorise every block; the regions come back joined."""
    plan = work.plan
    joiner = Joiner(plan.shape)
    tiles_done = pixels_done = 0
    progress("infer", 0, plan.whole.pixels)
    progress("polygons", 0, plan.whole.pixels)

    def take(job: Job, answer: int | BlockRegions) -> None:
        nonlocal tiles_done, pixels_done
        if isinstance(answer, BlockRegions):
            joiner.add(answer)
            pixels_done += answer.window.pixels
            progress("polygons", pixels_done, plan.whole.pixels)
        else:
            tiles_done += answer
            progress("infer", plan.whole.pixels * tiles_done // plan.tile_count, plan.whole.pixels)

    run_bounded(client, jobs(work), take)
    return joiner.finish()


def _write(
    checked: Checked,
    work: Work,
    changes: gpd.GeoDataFrame,
    clock: provenance.Clock,
    progress: Progress,
) -> None:
    """The raster first: polygons without it would look finished."""
    grid, total = checked.pair.grid, work.plan.whole.pixels
    blocks = _probability_blocks(work, progress)
    write_cog(blocks, checked.raster, grid.shape, grid.crs, grid.transform, work.folder)
    write_changes(changes, checked.out, provenance.record(checked, work, clock))
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
