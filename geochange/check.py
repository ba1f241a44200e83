"""Whatever can be refused is refused here, in the first second, before torch or Dask are loaded."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from geochange.config import RunOptions
from geochange.errors import OptionError, OutputError
from geochange.geo.align import Pair, align
from geochange.geo.bands import Bands
from geochange.geo.radiometry import Stretch, parse_stretch
from geochange.geo.raster import RasterInfo, inspect, is_ours
from geochange.geo.review import refuse_reviewed
from geochange.geo.tiling import TilePlan
from geochange.geo.vector import check_output
from geochange.models import check_name, wanted_bands
from geochange.mosaic.blend import TAPERS

logger = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Checked:
    """A run that can begin: everything a user may have got wrong has been looked at.

    out, raster: the polygons and, beside them, the probability.
    """

    pair: Pair
    plan: TilePlan
    stretch: str | Stretch
    options: RunOptions
    out: Path
    raster: Path


def check(before: PathLike, after: PathLike, out: PathLike, options: RunOptions) -> Checked:
    """Look at inputs, options and outputs; nothing is written and no picture is read.

    Raises InputError, OptionError, OutputError or MissingDependencyError, one line each.
    """
    _choice("taper", options.taper, TAPERS)
    _choice("prompts", options.prompts, (None, "per-date", "published", "fixed"))
    _choice("precision", options.precision, ("auto", "float32", "bfloat16"))
    stretch = parse_stretch(options.stretch)
    check_name(options.model)
    first, second = source_of(before), source_of(after)
    out_path = Path(out).expanduser().absolute()
    check_output(out_path)
    refuse_reviewed(out_path, options.overwrite)
    pair = _pair(first, second, options)
    raster = _raster_beside(out_path, pair)
    plan = TilePlan(pair.grid.shape, options.tile, options.overlap, options.block)
    return Checked(pair, plan, stretch, options, out_path, raster)


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
    """A raster's name as GDAL takes it, the same from every folder a worker may run in."""
    text = os.fspath(path)
    local = Path(text).expanduser()
    return str(local.absolute()) if local.exists() else text


def _raster_beside(out: Path, pair: Pair) -> Path:
    raster = out.with_suffix(".tif")
    inputs = [Path(file) for date in (pair.before, pair.after) for file in date.info.files]
    for target in (out, raster):
        if target.exists() and any(file.exists() and target.samefile(file) for file in inputs):
            raise OutputError(
                f"--out {out.name}: would overwrite the input {target.name}; give another name"
            )
    if raster.exists() and not is_ours(raster):
        raise OutputError(
            f"{raster}: stands where the probability raster goes and is none; move it, or give "
            "another --out"
        )
    return raster


def _pair(before: str, after: str, options: RunOptions) -> Pair:
    first, second = inspect(before), inspect(after)
    wanted = wanted_bands(options.model)
    if options.bands is None:
        bands = Bands.default(first, second, wanted)
    else:
        bands = Bands.parse(options.bands)
        if wanted not in (None, len(bands.before)):
            raise OptionError(
                f"--bands {options.bands}: the model needs {wanted} bands, such as 4,3,2; "
                "--model cva takes any number"
            )
    if wanted is not None and options.stretch == "none":
        need_8bit(first, second)
    grid = options.grid if options.grid in ("before", "after") else source_of(options.grid)
    return align(first, second, grid, bands)
