"""Preflight: checks all inputs of a run in the first second, before torch or Dask are imported."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from geochange.config import RunOptions
from geochange.errors import OptionError, OutputError
from geochange.files.archives import file_on_disk, gdal_name
from geochange.files.file_names import shorten
from geochange.files.output_paths import check_target, output_path
from geochange.files.performance_page import performance_page_path
from geochange.files.report_files import MODES, report_files_of, stale_report_files
from geochange.files.sidecar_files import refuse_orphaned_sidecars
from geochange.grid.tiling import TilePlan, fitting_tile
from geochange.inputs.choose_engine import choose_engine
from geochange.inputs.network_options import fitting_options
from geochange.inputs.open_pair import need_8bit, open_pair
from geochange.inputs.prepared_run import CheckedRun
from geochange.models import check_name, takes_8bit, wanted_bands
from geochange.models.onnx.session import limit_memory
from geochange.mosaic.taper import TAPERS
from geochange.raster.fingerprint import files_of
from geochange.raster.output.earlier_probability import is_probability
from geochange.raster.pair import RasterPair
from geochange.raster.scene.decibels import Decibels, refuse_8bit
from geochange.raster.scene.radiometry import MATCH_MODES, StretchMode, parse_stretch
from geochange.raster.sources.resolve import PathLike
from geochange.running.plan.memory_budget import check_read_memory
from geochange.running.work_folder import work_name
from geochange.storage.object_client import is_object_url
from geochange.storage.open_store import work_store_of
from geochange.storage.uploads import Upload
from geochange.vector.files.overwrite import refuse_foreign, refuse_reviewed
from geochange.vector.files.writers import check_output

logger = logging.getLogger(__name__)


def check_run(before: PathLike, after: PathLike, out: PathLike, options: RunOptions) -> CheckedRun:
    """Check inputs, options and outputs. It writes nothing and reads no pixels.

    Raises InputError, OptionError, OutputError or MissingDependencyError, one line each.
    """
    _check_choice("taper", options.taper, TAPERS)
    _check_choice("prompts", options.prompts, (None, "per-date", "published", "fixed"))
    _check_choice("precision", options.precision, ("auto", "float32", "bfloat16"))
    _check_choice("engine", options.engine, ("auto", "torch", "onnx"))
    _check_choice("report", options.report, MODES)
    _check_choice("match", options.match, MATCH_MODES)
    parse_stretch(options.stretch)
    check_name(options.model)
    choose_engine(options)
    limit_memory(options.max_memory)
    options = fitting_options(options)
    with _place_of_outputs(out, options.work) as (upload, out_path):
        return _check_places(before, after, (upload, out_path), options)


def _check_places(
    before: PathLike,
    after: PathLike,
    outputs: tuple[Upload | None, Path],
    options: RunOptions,
) -> CheckedRun:
    upload, out_path = outputs
    stretch = _stretch_of(options)
    check_output(out_path)
    work = work_store_of(options.work, work_name(out_path), out_path.parent)
    refuse_reviewed(out_path, options.overwrite)
    pair, area = open_pair(before, after, options, wanted_bands(options.model))
    check_read_memory(pair, options.max_memory)
    if options.stretch == "none" and takes_8bit(options.model):
        need_8bit(pair.before, pair.after)
    for date in (pair.before, pair.after):
        refuse_8bit(date.info.path, date.dtype, stretch)
    raster = _raster_beside(out_path, pair, options)
    refuse_foreign(out_path, options.overwrite)
    tile = fitting_tile(options.tile, pair.grid.shape)
    plan = TilePlan(pair.grid.shape, tile, options.overlap, options.block)
    places = report_files_of(out_path, options.report)
    for path in stale_report_files(out_path, places):
        logger.warning("%s describes an earlier run and is not updated: delete it", path)
    checked = CheckedRun(
        *(pair, area, plan, stretch, options, out_path, raster, work, places, upload)
    )
    if options.performance_report is not None:
        page = performance_page_path(options.performance_report, checked.files)
        checked = replace(checked, performance_page=page)
    if upload is not None:
        inputs = [file for date in (pair.before, pair.after) for file in files_of(date.info)]
        upload.refuse_inputs(checked.files, inputs)
        upload.check(checked.files, out_path if options.overwrite else None)
    return checked


@contextmanager
def _place_of_outputs(out: PathLike, work: str | None) -> Iterator[tuple[Upload | None, Path]]:
    """The file to write, and its upload if the output is an address of object storage.

    A refusal in this context leaves nothing on the disk.
    """
    text = os.fspath(out)
    if not is_object_url(text):
        yield None, output_path(out)
        return
    if work is None:
        raise OutputError(
            f"--out {shorten(text)}: add --work FOLDER or --work URL, where the run keeps its work "
            "until the outputs are uploaded"
        )
    folder = None if is_object_url(work) else output_path(work)
    upload, path = Upload.begin(text, folder if folder is not None and folder.is_dir() else None)
    try:
        yield upload, path
    except BaseException:
        upload.close()
        raise


def _stretch_of(options: RunOptions) -> StretchMode:
    """The stretch of a run. Models that are not bound to 8 bits see decibels as they are."""
    stretch = parse_stretch(options.stretch)
    if isinstance(stretch, Decibels):
        return replace(stretch, as_float=not takes_8bit(options.model))
    return stretch


def _check_choice(name: str, value: str | None, choices: Iterable[str | None]) -> None:
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise OptionError(f"--{name} {value}: not known; choose {known}")


def _raster_beside(out: Path, pair: RasterPair, options: RunOptions) -> Path:
    raster = out.with_suffix(".tif")
    inputs = [Path(file) for date in (pair.before, pair.after) for file in files_of(date.info)]
    inputs += [] if options.aoi is None else [file_on_disk(gdal_name(options.aoi))]
    for target in (out, raster):
        if target.exists() and any(file.exists() and target.samefile(file) for file in inputs):
            raise OutputError(
                f"--out {out.name}: would overwrite the input {target.name}; give another name"
            )
    check_target(raster)
    refuse_orphaned_sidecars(raster, options.overwrite)
    if raster.exists() and not is_probability(raster):
        raise OutputError(
            f"{raster}: exists and is not a probability raster, so it is not overwritten; move it, "
            "or choose another --out"
        )
    return raster
