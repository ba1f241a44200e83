"""Finds the bands of a model's card in the rasters of a pair, by name or else by number."""

from __future__ import annotations

from collections import Counter

from geochange.errors import InputError, OptionError
from geochange.models.bands.input_bands import InputBands
from geochange.raster.bands import Bands
from geochange.raster.reader import RasterInfo


def bands_by_card(
    before: RasterInfo, after: RasterInfo, named: str | None, wanted: InputBands
) -> Bands:
    """The bands of each date, in the order of the card; those that a user names are taken as they are.

    Raises OptionError if a user names another number of bands, and InputError, with their names, for
    bands that a raster lacks.
    """
    if named is None:
        return Bands(_found(before, wanted), _found(after, wanted))
    bands = Bands.parse(named)
    if len(bands.before) != len(wanted):
        raise OptionError(
            f"--bands {named}: the model needs {len(wanted)} bands, in this order: "
            f"{', '.join(wanted.names)}"
        )
    return bands


def _found(info: RasterInfo, wanted: InputBands) -> tuple[int, ...]:
    names = _numbers_by_name(info)
    taught = [name.lower() for name in wanted.names]
    found: list[int] = []
    missing: list[str] = []
    for place, number in enumerate(wanted.numbers):
        # Without any name in the raster, its bands are those of the files of the training.
        by_name = names and wanted.is_named(place) and taught.count(taught[place]) == 1
        there = names.get(taught[place], 0) if by_name else number
        if there in info.data_bands:
            found.append(there)
        else:
            missing.append(wanted.names[place])
    if missing:
        raise InputError(_refusal(info, wanted, missing))
    return tuple(found)


def _numbers_by_name(info: RasterInfo) -> dict[str, int]:
    """The numbers of bands by name in lower case; 0 for a name of several bands."""
    names = [(info.bands[number - 1].name.lower(), number) for number in info.data_bands]
    often = Counter(name for name, _ in names)
    return {name: number if often[name] == 1 else 0 for name, number in names if name}


def _refusal(info: RasterInfo, wanted: InputBands, missing: list[str]) -> str:
    held = ", ".join(
        info.bands[number - 1].name or f"band {number}" for number in info.data_bands[:16]
    )
    example = ",".join(map(str, range(1, len(wanted) + 1)))
    return (
        f"{info.path}: lacks {', '.join(missing)}, of the bands {', '.join(wanted.names)} that the model "
        f"was taught; it has {held}; give a raster with them, or name {len(wanted)} bands in that order "
        f"(--bands {example})"
    )
