"""Regions of synthetic rasters, from blocks of any size in any order."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import product

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import Window
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.polygons import Geometries, Places
from geochange.vector.tracing.region_file import RegionFile, RegionFileWriter
from geochange.vector.tracing.regions import BlockRegions, Regions, trace_regions

LEVEL = 127
VALUES = (0, 126, 127, 200, 254, NODATA)

Bytes = NDArray[np.uint8]

KNOT = np.array([[0, 1, 1, 1], [1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]], np.uint8) * 254
RING = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]], np.uint8) * 254
CHESS = (np.indices((7, 7)).sum(axis=0) % 2 * 254).astype(np.uint8)


@st.composite
def rasters(draw: st.DrawFn) -> Bytes:
    """Between 1 x 1 and 13 x 13 pixels, half of them change."""
    shape = draw(st.tuples(st.integers(1, 13), st.integers(1, 13)))
    values = st.sampled_from((0, 126, 127, 127, 200, 254, NODATA))
    return draw(arrays(np.uint8, shape, elements=values, fill=st.nothing()))


def blobs(seed: int, size: int = 24) -> NDArray[np.bool_]:
    """Round shapes with bays, holes and single pixels, as a threshold leaves them."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((size // 4, size // 4)) > 0.45
    grown = np.kron(coarse, np.ones((4, 4), bool))
    edge = np.zeros_like(grown)
    edge[1:] |= grown[1:] != grown[:-1]
    edge[:, 1:] |= grown[:, 1:] != grown[:, :-1]
    return np.asarray(grown ^ (edge & (rng.random(grown.shape) > 0.5)))


def trace_blocks(
    raster: Bytes, block: tuple[int, int], order: int = 0, land: Bytes | None = None
) -> Iterator[BlockRegions]:
    """The regions from blocks of this size, in an order seeded by `order`. land: see `trace_regions`."""
    height, width = raster.shape
    windows = [
        Window(row, col, min(block[0], height - row), min(block[1], width - col))
        for row, col in product(range(0, height, block[0]), range(0, width, block[1]))
    ]
    for i in np.random.default_rng(order).permutation(len(windows)):
        place = windows[i].within(Window(0, 0, height, width))
        seen = None if land is None else land[:, *place]
        yield trace_regions(raster[place], windows[i], LEVEL, width, seen)


def region_file_of(
    raster: Bytes,
    block: tuple[int, int] | None = None,
    order: int = 0,
    land: Bytes | None = None,
) -> RegionFile:
    """All regions of a raster; without `block`, from the whole raster. land: see `trace_regions`."""
    joiner, spill = RegionJoiner(raster.shape), RegionFileWriter(BytesIO())
    for part in trace_blocks(raster, block or raster.shape, order, land):
        spill.put(joiner.add(part))
    return spill.finish(joiner.finish())


def join_regions(raster: Bytes, block: tuple[int, int] | None = None, order: int = 0) -> Regions:
    """All regions of a raster, in the order of their first pixels."""
    shelf = region_file_of(raster, block, order)
    return shelf.read(np.arange(len(shelf)))


def assert_same(one: Regions, other: Regions) -> None:
    """Check that statistics and corners are equal bit by bit."""
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.corners, other.corners)


def gdal_polygons(raster: Bytes) -> Geometries:
    """The polygons of a whole raster by GDAL, in the order of first pixels, without geochange."""
    mask = (raster >= LEVEL) & (raster != NODATA)
    shapes = rasterio.features.shapes(
        # Regions need no number each, because GDAL separates them.
        mask.astype(np.uint8),
        mask=mask,
        connectivity=4,
        # Not the identity, about which rasterio warns.
        transform=Affine.translation(1, 1),
    )
    polygons = []
    for outline, _ in shapes:
        shell, *holes = (np.asarray(ring) - 1 for ring in outline["coordinates"])
        polygons.append(shapely.Polygon(shell, holes))
    found = np.array([*polygons, None], dtype=np.object_)[:-1]
    # GDAL's rings may touch themselves; here the same area has separate holes.
    found = shapely.normalize(shapely.simplify(shapely.buffer(found, 0), 0))
    first = [min((y, x) for x, y in shapely.get_coordinates(each.exterior)) for each in found]
    return found[sorted(range(len(first)), key=first.__getitem__)]


def repeated_corners(polygons: Geometries) -> Places:
    """Corners that occur more than once in all rings, sorted, counted one by one."""
    seen: dict[tuple[int, int], int] = {}
    for polygon in polygons:
        for ring in [polygon.exterior, *polygon.interiors]:
            for x, y in ring.coords[:-1]:
                seen[int(y), int(x)] = seen.get((int(y), int(x)), 0) + 1
    places = sorted(place for place, times in seen.items() if times > 1)
    return np.array([(row << 32) + col for row, col in places], np.int64)
