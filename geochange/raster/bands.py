"""Bands: which bands of the two dates are compared."""

from __future__ import annotations

from dataclasses import dataclass

from geochange.errors import InputError, OptionError
from geochange.raster.reader import RasterInfo, explain_unusable_band


@dataclass(frozen=True)
class Bands:
    """The compared bands of each date, 1-based, in order. Both dates have the same number of bands."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Bands:
        """Bands from "4,3,2", or from "4,3,2:3,2,1" if the dates differ. Raises OptionError."""
        before, colon, after = text.partition(":")
        bands = cls(_numbers(before, text), _numbers(after if colon else before, text))
        if len(bands.before) != len(bands.after):
            raise OptionError(
                f"--bands {text}: {len(bands.before)} bands before, {len(bands.after)} after; "
                "name the same number for both"
            )
        return bands

    @classmethod
    def default(cls, before: RasterInfo, after: RasterInfo, wanted: int | None) -> Bands:
        """The first three bands that both dates have, or as many as the model needs.

        Raises InputError if a date has too few bands.
        """
        shared = min(len(before.data_bands), len(after.data_bands))
        count = min(3, shared) if wanted is None else wanted
        if count > shared:
            poor = before if len(before.data_bands) < count else after
            has = len(poor.data_bands)
            repeated = ",".join(["1"] * count)
            raise InputError(
                f"{poor.path}: too few bands, the model needs {count} and it has {has}; "
                f"repeat one (--bands {repeated}) or choose a model for any number (--model cva)"
            )
        return cls(before.data_bands[:count], after.data_bands[:count])


def _numbers(part: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in part.split(","))
    except ValueError:
        raise OptionError(
            f"--bands {text}: not a list of band numbers; write it like 4,3,2 or 4,3,2:3,2,1"
        ) from None


def check_bands(info: RasterInfo, bands: tuple[int, ...]) -> None:
    """Refuse bands that the raster does not have, or that cannot be compared.

    Raises OptionError or InputError.
    """
    total = len(info.bands)
    wrong = [band for band in bands if not 1 <= band <= total]
    if wrong:
        raise OptionError(
            f"--bands: {info.path} has no band {wrong[0]}; it has {total}, counted from 1"
        )
    for number, band in zip(bands, info.chosen(bands), strict=True):
        why = explain_unusable_band(band)
        if why is not None:
            raise InputError(f"{info.path}: band {number} {why}, or name other bands (--bands)")
