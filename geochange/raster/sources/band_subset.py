"""The chosen bands of a raster as a virtual raster for the warper, with one dtype and one mask.

GDAL's warper takes one dtype for all bands, and rasterio passes it one nodata value. So the bands
are read in their common dtype, and the mask applies the rules of `raster.nodata`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from affine import Affine

from geochange.grid.grid import Grid
from geochange.raster.band_metadata import BandInfo, common_dtype
from geochange.raster.reader import RasterInfo
from geochange.raster.sources.masks import (
    Mask,
    MaskPart,
    alpha_cover,
    magnitude_cover,
    mask_cover,
    nodata_cover,
)
from geochange.raster.sources.source import Source
from geochange.raster.sources.vrt import Band, VrtDataset
from geochange.raster.valid_pixels import FILL_LIMIT


def subset_vrt(
    dataset: Any, info: RasterInfo, bands: tuple[int, ...], place: Grid, factor: int | None = None
) -> str:
    """The text of a VRT of `bands`, with a mask if some of their pixels can be missing.

    place: the grid of its pixels. factor: the overview to read instead of the full resolution, one
    of `info.overviews`.
    """
    # A raster that is created in memory has another name there.
    path = dataset.name if dataset.name.startswith("/vsimem/") else info.path
    transform, shape, level = place.transform, place.shape, None
    if factor is not None:
        level = dataset.overviews(1).index(factor)
        rows, cols = shape
        shape = (-(-rows // factor), -(-cols // factor))
        transform = transform @ Affine.scale(cols / shape[1], rows / shape[0])
    source = Source(path, shape, overview=level)
    dtype = str(common_dtype(info.chosen(bands)))
    layers = tuple(
        Band(dtype, ((source, number, str(info.bands[number - 1].dtype)),)) for number in bands
    )
    parts = tuple(_parts(source, info, bands))
    mask = Mask("all", parts) if parts else None
    return VrtDataset(place.crs.to_wkt(), transform, shape, layers, mask).text()


def _parts(source: Source, info: RasterInfo, bands: tuple[int, ...]) -> Iterator[MaskPart | Mask]:
    """The covers that must all hold data, by the rules of `raster.nodata`."""
    chosen = {number: info.bands[number - 1] for number in bands}
    for number, band in chosen.items():
        if band.dtype.kind == "f":
            yield magnitude_cover(source, number, str(band.dtype), FILL_LIMIT)
        if not band.is_unsigned:
            yield from _nodata_covers(source, number, band)
    dark = tuple(
        cover
        for number, band in chosen.items()
        if band.is_unsigned
        for cover in _nodata_covers(source, number, band)
    )
    if dark:
        yield Mask("any", dark)
    for mask in sorted({band.mask for band in chosen.values() if band.mask is not None}):
        yield mask_cover(source, mask)
    if info.alpha is not None and info.alpha not in bands:
        yield alpha_cover(source, info.alpha, str(info.bands[info.alpha - 1].dtype))


def _nodata_covers(source: Source, number: int, band: BandInfo) -> Iterator[MaskPart]:
    for mark in band.missing_values:
        yield nodata_cover(source, number, str(band.dtype), mark)
