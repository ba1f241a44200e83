"""Whatever can be refused is refused here, in the first second, before torch or Dask are loaded."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from geochange.config import PairOptions, RunOptions
from geochange.errors import InputError, OptionError, OutputError
from geochange.files.companions import refuse_orphans
from geochange.files.names import refuse_unopenable
from geochange.files.output_paths import check_target, output_path
from geochange.files.sidecars import MODES, Beside, beside, left_over
from geochange.grid.tiling import TilePlan, fitting_tile
from geochange.models import check_name, wanted_bands
from geochange.mosaic.taper import TAPERS
from geochange.raster.bands import Bands
from geochange.raster.fingerprint import files_of
from geochange.raster.output.probability_raster import is_probability
from geochange.raster.pair import Pair, align
from geochange.raster.reader import RasterInfo, inspect
from geochange.raster.scene.radiometry import MATCHES, Stretch, parse_stretch
from geochange.raster.sources.band_stack import PLUS, is_stack
from geochange.raster.sources.band_stack import files_of as stacked
from geochange.raster.sources.mosaic import is_tileset
from geochange.raster.sources.stac import is_item, resolve_item
from geochange.vector.aoi import Area, read_area
from geochange.vector.files.overwrite import refuse_foreign, refuse_reviewed
from geochange.vector.files.writers import check_output

logger = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Checked:
    """A run that can begin: everything a user may have got wrong has been looked at.

    pair, area: where the dates are on one grid, cropped to the area if there is one.
    out, raster: the polygons and, beside them, the probability. beside: the report, if any.
    """

    pair: Pair
    area: Area | None
    plan: TilePlan
    stretch: str | Stretch
    options: RunOptions
    out: Path
    raster: Path
    beside: Beside | None = None


def check(before: PathLike, after: PathLike, out: PathLike, options: RunOptions) -> Checked:
    """Look at inputs, options and outputs; nothing is written and no picture is read.

    Raises InputError, OptionError, OutputError or MissingDependencyError, one line each.
    """
    _choice("taper", options.taper, TAPERS)
    _choice("prompts", options.prompts, (None, "per-date", "published", "fixed"))
    _choice("precision", options.precision, ("auto", "float32", "bfloat16"))
    _choice("report", options.report, MODES)
    _choice("match", options.match, MATCHES)
    stretch = parse_stretch(options.stretch)
    check_name(options.model)
    out_path = output_path(out)
    check_output(out_path)
    refuse_reviewed(out_path, options.overwrite)
    pair, area = open_pair(before, after, options, wanted_bands(options.model))
    if wanted_bands(options.model) is not None and options.stretch == "none":
        need_8bit(pair.before.info, pair.after.info)
    raster = _raster_beside(out_path, pair, options)
    refuse_foreign(out_path, options.overwrite)
    tile = fitting_tile(options.tile, pair.grid.shape)
    plan = TilePlan(pair.grid.shape, tile, options.overlap, options.block)
    places = beside(out_path, options.report)
    for path in left_over(out_path, places):
        logger.warning("%s tells of an earlier run and is not written anew: delete it", path)
    return Checked(pair, area, plan, stretch, options, out_path, raster, places)


def open_pair(
    before: PathLike, after: PathLike, options: PairOptions, wanted: int | None = None
) -> tuple[Pair, Area | None]:
    """Two rasters on one grid, cropped to the area that is meant if one is named.

    wanted: how many bands are compared; None for any number. Raises InputError, OptionError.
    """
    first, second = inspect_source(before), inspect_source(after)
    bands = _bands(first, second, options.bands, wanted)
    grid = options.grid if options.grid in ("before", "after") else source_of(options.grid)
    pair = align(first, second, grid, bands)
    if options.aoi is None:
        return pair, None
    area = read_area(Path(source_of(options.aoi)), pair.grid)
    window = area.window.intersection(pair.grid.whole) or pair.grid.whole
    return pair.crop(window), area.moved(-window.row, -window.col)


def need_8bit(*dates: RasterInfo) -> None:
    """Refuse to show deeper rasters as they are. Raises OptionError."""
    for info in dates:
        if info.dtype != "uint8":
            raise OptionError(
                f"--stretch none: {info.path} is {info.dtype} and pictures are of 8 bits; "
                "use joint, per-date or LOW,HIGH"
            )


def _choice(name: str, value: str | None, choices: Iterable[str | None]) -> None:
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise OptionError(f"--{name} {value}: not known; choose {known}")


def source_of(path: PathLike) -> str:
    """A raster's name, the same from every folder a worker may run in."""
    text = os.fspath(path)
    if is_stack(text):
        return PLUS.join(source_of(part) for part in stacked(text))
    refuse_unopenable(text, InputError)
    prefix, name = (text[:4], text[4:]) if text.startswith("GTI:") else ("", text)
    local = Path(name).expanduser()
    return prefix + str(local.absolute()) if local.exists() or is_tileset(text) else text


def inspect_source(path: PathLike) -> RasterInfo:
    """What a raster, several of them as one, or a STAC item says of itself. Raises InputError."""
    text = os.fspath(path)
    if not is_item(text):
        return inspect(source_of(text))
    found = resolve_item(text)
    info = inspect(found.path)
    return replace(info, acquired=found.acquired or info.acquired)


def _raster_beside(out: Path, pair: Pair, options: RunOptions) -> Path:
    raster = out.with_suffix(".tif")
    inputs = [Path(file) for date in (pair.before, pair.after) for file in files_of(date.info)]
    inputs += [] if options.aoi is None else [Path(source_of(options.aoi))]
    for target in (out, raster):
        if target.exists() and any(file.exists() and target.samefile(file) for file in inputs):
            raise OutputError(
                f"--out {out.name}: would overwrite the input {target.name}; give another name"
            )
    check_target(raster)
    refuse_orphans(raster, options.overwrite)
    if raster.exists() and not is_probability(raster):
        raise OutputError(
            f"{raster}: stands where the probability raster goes and is none; move it, or give "
            "another --out"
        )
    return raster


def _bands(first: RasterInfo, second: RasterInfo, named: str | None, wanted: int | None) -> Bands:
    if named is None:
        return Bands.default(first, second, wanted)
    bands = Bands.parse(named)
    if wanted not in (None, len(bands.before)):
        raise OptionError(
            f"--bands {named}: the model needs {wanted} bands, such as 4,3,2; "
            "--model cva takes any number"
        )
    return bands
