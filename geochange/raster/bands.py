"""Bands: which numbers of one date are compared with which of the other."""

from __future__ import annotations

from dataclasses import dataclass

from geochange.errors import InputError, OptionError
from geochange.raster.reader import RasterInfo


@dataclass(frozen=True)
class Bands:
    """The bands that are compared, 1-based, in order: as many of one date as of the other."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Bands:
        """From "4,3,2", or "4,3,2:3,2,1" where the dates differ. Raises OptionError."""
        before, colon, after = text.partition(":")
        bands = cls(_numbers(before, text), _numbers(after if colon else before, text))
        if len(bands.before) != len(bands.after):
            raise OptionError(
                f"--bands {text}: {len(bands.before)} bands before, {len(bands.after)} after; "
                "name as many of each"
            )
        return bands

    @classmethod
    def default(cls, before: RasterInfo, after: RasterInfo, wanted: int | None) -> Bands:
        """The first three bands both dates have, or as many as the model wants."""
        shared = min(before.bands, after.bands)
        count = min(3, shared) if wanted is None else wanted
        if count > shared:
            poor = before if before.bands < count else after
            repeated = ",".join(["1"] * count)
            raise InputError(
                f"{poor.path}: too few bands, the model needs {count} and it has {poor.bands}; "
                f"repeat one (--bands {repeated}) or choose a model of any number (--model cva)"
            )
        numbers = tuple(_data_bands(before)[:count]), tuple(_data_bands(after)[:count])
        return cls(*numbers)


def _data_bands(info: RasterInfo) -> list[int]:
    total = info.bands + (info.alpha is not None)
    return [band for band in range(1, total + 1) if band != info.alpha]


def _numbers(part: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in part.split(","))
    except ValueError:
        raise OptionError(
            f"--bands {text}: not a list of band numbers; write it like 4,3,2 or 4,3,2:3,2,1"
        ) from None


def check_bands(info: RasterInfo, bands: tuple[int, ...]) -> None:
    """Refuse bands that a raster does not have. Raises OptionError."""
    total = info.bands + (info.alpha is not None)
    wrong = [band for band in bands if not 1 <= band <= total]
    if wrong:
        raise OptionError(
            f"--bands: {info.path} has no band {wrong[0]}; it has {total}, counted from 1"
        )
