"""Modality: whether a raster holds reflected light or the backscatter of a radar, as far as it says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Literal

from geochange.errors import InputError
from geochange.raster.band_metadata import NAMED_COLOURS
from geochange.raster.reader import RasterInfo
from geochange.raster.sources.band_stack import split_stack

Modality = Literal["optical", "radar"]

_POLARISATION = re.compile(
    r"(?<![a-z0-9])(vv|vh|hh|hv|sigma0|gamma0|beta0)(?![a-z])", re.IGNORECASE
)
_COLOUR = re.compile(
    rf"(?<![a-z0-9])({'|'.join(NAMED_COLOURS)}|nir|b0?[1-9]|b8a|b1[0-2])(?![a-z0-9])", re.IGNORECASE
)
_PRODUCTS: dict[Modality, re.Pattern[str]] = {
    "radar": re.compile(r"^s1[a-d][-_](iw|ew|wv|sm|s[1-6])[-_]", re.IGNORECASE),
    "optical": re.compile(r"^(s2[a-d]_|l[coet]0[4-9]_l[12])", re.IGNORECASE),
}
"""Names of products of Sentinel-1, and of Sentinel-2 and Landsat."""


def modality_of(info: RasterInfo) -> Modality | None:
    """What a raster shows, by the names of its bands or else by the name of its product.

    Polarisations (VV, VH ...) are radar; colours and Sentinel-2's numbers (red, nir, B8A ...) are
    optical. None where neither is said, or both.
    """
    bands = [info.bands[number - 1].name for number in info.data_bands]
    found: set[Modality] = set()
    for kind, pattern in (("radar", _POLARISATION), ("optical", _COLOUR)):
        if any(pattern.search(name) for name in bands):
            found.add(kind)  # type: ignore[arg-type]  # both literals are modalities
    files = [PurePosixPath(part).name for part in split_stack(info.path)]
    if not found:
        found = {kind for kind, form in _PRODUCTS.items() if any(map(form.search, files))}
    return found.pop() if len(found) == 1 else None


def refuse_two_modalities(before: RasterInfo, after: RasterInfo) -> None:
    """Refuse a pair of light and radar. Raises InputError, with the reason and the cure."""
    kinds = modality_of(before), modality_of(after)
    if set(kinds) != {"optical", "radar"}:
        return
    optical, radar = (before, after) if kinds[0] == "optical" else (after, before)
    raise InputError(
        f"{optical.path} shows reflected light{_names(optical)} and {radar.path} the backscatter of "
        f"a radar{_names(radar)}: they measure different things of the same ground, so every pixel "
        "would differ; give two dates of one kind, and for radar --model ratio"
    )


def _names(info: RasterInfo) -> str:
    names = _some(info.bands[number - 1].name for number in info.data_bands)
    return f" ({names})" if names else ""


def _some(names: Iterable[str]) -> str:
    return ", ".join([name for name in names if name][:3])
