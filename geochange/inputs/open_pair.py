"""Opens a pair: two rasters on one grid, with the compared bands, cropped to an area."""

from __future__ import annotations

from pathlib import Path

from geochange.config import PairOptions
from geochange.errors import OptionError
from geochange.files.archives import gdal_name
from geochange.inputs.bands_from_model_card import bands_by_card
from geochange.inputs.modality import refuse_two_modalities
from geochange.models.bands.input_bands import InputBands
from geochange.raster.access.declared_size import refuse_implausible_size
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import RasterInfo
from geochange.raster.sources.resolve import PathLike, inspect_source, source_of
from geochange.raster.warped_raster import WarpedRaster
from geochange.vector.aoi import AreaOfInterest, read_aoi


def open_pair(
    before: PathLike, after: PathLike, options: PairOptions, wanted: int | InputBands | None = None
) -> tuple[RasterPair, AreaOfInterest | None]:
    """Two rasters on one grid, cropped to the area of interest if the options name one.

    wanted: the compared bands by name, or their number; None for any number. Raises InputError and
    OptionError.
    """
    first, second = inspect_source(before), inspect_source(after)
    refuse_two_modalities(first, second)
    bands = _bands(first, second, options.bands, wanted)
    grid = options.grid if options.grid in ("before", "after") else source_of(options.grid)
    pair = align_pair(first, second, grid, bands)
    area = None
    if options.aoi is not None:
        area = read_aoi(Path(gdal_name(options.aoi)), pair.grid)
        window = area.window.intersection(pair.grid.full_window) or pair.grid.full_window
        pair, area = pair.crop(window), area.moved(-window.row, -window.col)
    refuse_implausible_size(pair)
    return pair, area


def need_8bit(*dates: WarpedRaster) -> None:
    """Refuse `--stretch none` for bands that are not 8-bit. Raises OptionError."""
    for date in dates:
        if date.dtype != "uint8":
            raise OptionError(
                f"--stretch none: {date.info.path} is {date.dtype}, not 8-bit; "
                "use joint, per-date or LOW,HIGH"
            )


def _bands(
    first: RasterInfo, second: RasterInfo, named: str | None, wanted: int | InputBands | None
) -> Bands:
    if isinstance(wanted, InputBands):
        return bands_by_card(first, second, named, wanted)
    if named is None:
        return Bands.default(first, second, wanted)
    bands = Bands.parse(named)
    if wanted not in (None, len(bands.before)):
        raise OptionError(
            f"--bands {named}: the model needs {wanted} bands, such as 4,3,2; "
            "--model cva takes any number"
        )
    return bands
