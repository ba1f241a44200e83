"""The metadata of a band: its dtype, its nodata value and its mask."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags

from geochange.errors import one_line
from geochange.raster.sentinel2 import RULE, nodata_of_format

Role = Literal["data", "alpha", "palette"]

NAMED_COLOURS = ("red", "green", "blue", "coastal", "rededge", "nir", "swir", "pan")
"""Colour interpretations of GDAL that name a band without a description."""

LONGEST_NAME = 60
"""The most letters of a band's name."""


ORIGIN_DOMAIN = "GEOCHANGE"
"""The metadata domain in which virtual rasters in memory keep the origin of their files."""


@dataclass(frozen=True)
class Origin:
    """Where the metadata of a raster comes from.

    driver: GDAL's driver; of several files as one raster, that of the first.
    nodata_rule: the format that defines a nodata value the files do not declare ("Sentinel-2"), or
    empty.
    """

    driver: str = ""
    nodata_rule: str = ""


UNKNOWN_ORIGIN = Origin()


@dataclass(frozen=True, slots=True)
class BandInfo:
    """One band of a raster.

    dtype: the dtype in the file.
    nodata: the nodata value as the dtype holds it, of the file or else of the format of its product
        (`sentinel2`); None if they declare none, or one that the dtype cannot hold.
    mask: the number of the band whose mask GDAL reads; None without a mask. Bands that share a mask
        have the same number.
    role: "data", "alpha" (transparency) or "palette" (indices of colours).
    fills: values that mark missing pixels although the file does not declare them.
    name: its description in the file, else its colour (red, nir ...); empty if unknown.
    """

    dtype: np.dtype[Any]
    nodata: float | None = None
    mask: int | None = None
    role: Role = "data"
    fills: tuple[float, ...] = ()
    name: str = ""

    @property
    def missing_values(self) -> tuple[float, ...]:
        """All values that mark a missing pixel. NaN always does and is not listed."""
        declared = () if self.nodata is None or math.isnan(self.nodata) else (self.nodata,)
        return (*declared, *self.fills)

    @property
    def is_unsigned(self) -> bool:
        """Whether the dtype is unsigned. Then a nodata value may also be data, as black or white."""
        return self.dtype.kind == "u"


def describe_bands(dataset: Any) -> tuple[BandInfo, ...]:
    """All bands of an open raster, in the order of the file."""
    nodatavals = declared_nodata(dataset)
    if None in nodatavals:
        by_format = nodata_of_format(dataset)
        nodatavals = tuple(
            other if own is None else own for own, other in zip(nodatavals, by_format, strict=True)
        )
    flags = dataset.mask_flag_enums
    shared = next((i for i, each in enumerate(flags, 1) if _is_shared_mask(each)), None)
    return tuple(
        BandInfo(
            dtype=np.dtype(dtype),
            nodata=nodata_in_dtype(nodata, np.dtype(dtype)),
            mask=_mask_of(number, flags[number - 1], shared),
            role=_role(kind),
            name=_name(said, kind),
        )
        for number, (dtype, nodata, kind, said) in enumerate(
            zip(
                *(dataset.dtypes, nodatavals, dataset.colorinterp, dataset.descriptions),
                strict=True,
            ),
            start=1,
        )
    )


def declared_nodata(dataset: Any) -> tuple[float | None, ...]:
    """The nodata value of each band that the file itself declares."""
    with np.errstate(over="ignore"):  # rasterio casts nodata values that the dtype cannot hold
        return tuple(dataset.nodatavals)


def origin_of(dataset: Any) -> Origin:
    """The origin of an open raster, also of one that geochange made of several files."""
    told = dataset.tags(ns=ORIGIN_DOMAIN) if dataset.driver == "VRT" else {}
    if told:
        return Origin(told.get("driver", ""), told.get("nodata_rule", ""))
    by_format = nodata_of_format(dataset)
    is_ruled = any(
        own is None and other is not None
        for own, other in zip(declared_nodata(dataset), by_format, strict=True)
    )
    return Origin(dataset.driver, RULE if is_ruled else "")


def common_dtype(bands: Iterable[BandInfo]) -> np.dtype[Any]:
    """The smallest dtype that holds the values of all bands: uint16 and int16 need int32."""
    return np.result_type(*(band.dtype for band in bands))


def nodata_in_dtype(nodata: float | None, dtype: np.dtype[Any]) -> float | None:
    """A nodata value as a dtype holds it: 0.1 becomes the nearest float32. None if it cannot."""
    if nodata is None:
        return None
    if dtype.kind in "fc":
        with np.errstate(over="ignore"):
            value = float(dtype.type(nodata).real)
        return value if math.isfinite(value) or not math.isfinite(nodata) else None
    limits = np.iinfo(dtype)
    if not math.isfinite(nodata) or nodata != int(nodata):
        return None
    return nodata if limits.min <= int(nodata) <= limits.max else None


def _is_shared_mask(flags: list[MaskFlags]) -> bool:
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _mask_of(number: int, flags: list[MaskFlags], shared: int | None) -> int | None:
    if _is_shared_mask(flags):
        return shared
    # GDAL sets no flag for a mask that belongs to a single band.
    return None if flags else number


def _name(description: str | None, kind: ColorInterp) -> str:
    if description and description.strip():
        return one_line(description.strip())[:LONGEST_NAME]
    return kind.name if kind.name in NAMED_COLOURS else ""


def _role(kind: ColorInterp) -> Role:
    if kind == ColorInterp.alpha:
        return "alpha"
    return "palette" if kind == ColorInterp.palette else "data"
