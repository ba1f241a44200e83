"""Sentinel-2: the nodata value that its products define, which GDAL does not declare for their bands.

0 is "no data" in all spectral bands and the true colour image, in levels 1C and 2A (Sentinel-2
Products Specification Document, S2-PDGS-TAS-DI-PSD, "special values"). GDAL reports it as metadata of
a product. The JP2 files of the single bands say nothing, so they are known by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

RULE = "Sentinel-2"
"""The name of the rule, for people."""

TAG = "SPECIAL_VALUE_NODATA"

RGB = ("B04", "B03", "B02")
"""Red, green and blue in the names of its files."""

PERCENTAGES = ("CLD", "SNW")
"""Bands of probabilities of cloud and snow, in which 0 is a measurement."""

_BAND = r"_(?:B\d\d|B8A|TCI|AOT|WVP)(?:_\d\dm)?\.jp2$"

IMAGE = re.compile(
    rf"(?:\.SAFE/GRANULE/[^/]+/IMG_DATA/.+|(?:^|[/_])T\d\d[A-Z]{{3}}_\d{{8}}T\d{{6}}){_BAND}"
)
"""The file of a band: by its place in a product, or by its full name if it was copied out of one."""


def files_of_band(names: Iterable[str], band: str) -> list[str]:
    """The names among these of files of a band, such as B04."""
    return [name for name in names if re.search(rf"_{band}[_.]", name)]


def nodata_of_format(dataset: Any) -> tuple[float | None, ...]:
    """The nodata value of each band by the format of the product; None where it defines none."""
    value = _value(dataset)
    if value is None:
        return (None,) * int(dataset.count)
    names: tuple[str | None, ...] = dataset.descriptions
    return tuple(
        None if dtype not in ("uint8", "uint16") or (name or "").startswith(PERCENTAGES) else value
        for dtype, name in zip(dataset.dtypes, names, strict=True)
    )


def _value(dataset: Any) -> float | None:
    if dataset.driver.startswith("JP2"):
        return 0.0 if IMAGE.search(dataset.name.replace("\\", "/")) else None
    # Files made from a product keep the tag, also those whose values were scaled to 8 bits.
    if dataset.driver != "SENTINEL2" and set(dataset.dtypes) != {"uint16"}:
        return None
    told: str = dataset.tags().get(TAG, "")
    return float(told) if told.isdecimal() else None
