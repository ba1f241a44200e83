"""From a raster of probability to polygons, block by block, then joined as if cut from the whole.

Geometry here is in pixel coordinates of the whole raster, (x, y) = (col, row) of pixel corners:
small integers, exact in float64, so joining needs no tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geochange.geo.probability import NODATA
from geochange.geo.tiling import Index, Window

Geometries = NDArray[np.object_]
Borders = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]

UNSEEN = -1
"""On a border: a pixel without data. 0 is no change, k the k-th region of the block."""


@dataclass(frozen=True)
class Regions:
    """Connected regions of change (pixels sharing an edge), one row each.

    polygon: outline in pixel coordinates, holes kept.
    first: row * raster width + col of the region's first pixel, its name whatever the blocks.
    pixels, total, peak: how many pixels, the sum and the largest of their uint8 probability.
    at_edge: whether it meets the raster's edge or a pixel without data.
    """

    polygon: Geometries
    first: NDArray[np.int64]
    pixels: NDArray[np.int64]
    total: NDArray[np.int64]
    peak: NDArray[np.uint8]
    at_edge: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: NDArray[np.intp]) -> Regions:
        """Some of the regions, in the order of `rows`."""
        return Regions(
            self.polygon[rows],
            self.first[rows],
            self.pixels[rows],
            self.total[rows],
            self.peak[rows],
            self.at_edge[rows],
        )


@dataclass(frozen=True)
class BlockRegions:
    """The regions of one block and, along its four borders, which region holds each pixel.

    borders: top, bottom, left, right; UNSEEN, 0, or the region's row + 1.
    """

    window: Window
    regions: Regions
    borders: Borders


def trace(
    probability: NDArray[np.uint8], window: Window, level: int, width_px: int
) -> BlockRegions:
    """The regions of a block.

    probability: (height, width) uint8 of `window`. level: the smallest value that is change.
    width_px: width of the whole raster.
    """
    unseen = probability == NODATA
    labels, count = ndimage.label((probability >= level) & ~unseen)
    labels = labels.astype(np.int32, copy=False)
    regions = _measure(probability, labels, count, window, width_px, unseen)
    marked = np.where(unseen, np.int32(UNSEEN), labels)
    borders = (marked[0], marked[-1], marked[:, 0], marked[:, -1])
    return BlockRegions(window, regions, tuple(np.array(b) for b in borders))  # type: ignore[arg-type]  # four in, four out


def _measure(
    probability: NDArray[np.uint8],
    labels: NDArray[np.int32],
    count: int,
    window: Window,
    width_px: int,
    unseen: NDArray[np.bool_],
) -> Regions:
    place = np.flatnonzero(labels)
    label = labels.ravel()[place]
    value = probability.ravel()[place]
    pixels = np.bincount(label, minlength=count + 1)[1:]
    total = np.bincount(label, weights=value, minlength=count + 1)[1:].astype(np.int64)
    peak = np.zeros(count + 1, np.uint8)
    np.maximum.at(peak, label, value)
    _, seen_first = np.unique(label, return_index=True)
    row, col = np.divmod(place[seen_first], window.width)
    first = (row + window.row).astype(np.int64) * width_px + col + window.col
    at_edge = np.zeros(count + 1, np.bool_)
    if unseen.any():
        at_edge[labels[ndimage.binary_dilation(unseen) & (labels > 0)]] = True
    return Regions(_outline(labels, count, window), first, pixels, total, peak[1:], at_edge[1:])


def _outline(labels: NDArray[np.int32], count: int, window: Window) -> Geometries:
    """One polygon a label, in label order."""
    outlines = np.empty(count, np.object_)
    if count == 0:
        return outlines
    shapes = rasterio.features.shapes(
        labels,
        mask=labels > 0,
        connectivity=4,
        # rasterio takes an identity for a missing georeference and warns; so one pixel off and back.
        transform=Affine.translation(window.col + 1, window.row + 1),
    )
    for outline, label in shapes:
        shell, *holes = (np.asarray(ring) - 1 for ring in outline["coordinates"])
        outlines[int(label) - 1] = shapely.Polygon(shell, holes)
    return canonical(outlines)


@dataclass
class Joiner:
    """Joins the regions of blocks, given in any order, where they continue across a border.

    A border is compared, and forgotten, as soon as the blocks on both sides are there.
    """

    shape: tuple[int, int]
    _parts: list[Regions] = field(default_factory=list)
    _count: int = 0
    _borders: dict[tuple[str, Index], tuple[NDArray[np.int64], bool]] = field(default_factory=dict)
    _links: list[NDArray[np.int64]] = field(default_factory=list)
    _at_edge: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, block: BlockRegions) -> None:
        """Take the regions of one more block."""
        window = block.window
        top, bottom, left, right = (self._numbered(border) for border in block.borders)
        self._parts.append(block.regions)
        self._count += len(block.regions)
        self._meet("row", (window.row, window.col), top, window.row == 0)
        self._meet("row", (window.row_stop, window.col), bottom, window.row_stop == self.shape[0])
        self._meet("col", (window.row, window.col), left, window.col == 0)
        self._meet("col", (window.row, window.col_stop), right, window.col_stop == self.shape[1])

    def _numbered(self, border: NDArray[np.int32]) -> NDArray[np.int64]:
        wide = border.astype(np.int64)
        return np.where(wide > 0, wide + self._count, wide)

    def _meet(self, side: str, place: Index, border: NDArray[np.int64], outer: bool) -> None:
        if outer:
            self._at_edge.append(border[border > 0])
            return
        other = self._borders.pop((side, place), None)
        if other is None:
            self._borders[side, place] = border, outer
            return
        facing = other[0]
        both = (border > 0) & (facing > 0)
        if both.any():
            self._links.append(np.unique(np.stack([border[both], facing[both]]), axis=1))
        self._at_edge.append(border[(border > 0) & (facing == UNSEEN)])
        self._at_edge.append(facing[(facing > 0) & (border == UNSEEN)])

    def finish(self) -> Regions:
        """All regions, in the order of their first pixels."""
        parts = _concatenate(self._parts)
        at_edge = parts.at_edge.copy()
        if self._at_edge:
            at_edge[np.concatenate(self._at_edge) - 1] = True
        group = _components(len(parts), self._links)
        whole = _merge(parts, at_edge, group)
        return whole.take(np.argsort(whole.first, kind="stable"))


def _concatenate(parts: Sequence[Regions]) -> Regions:
    if not parts:
        empty = np.empty(0, np.int64)
        return Regions(
            np.empty(0, np.object_), empty, empty, empty, empty.astype(np.uint8), empty.astype(bool)
        )
    names = ("polygon", "first", "pixels", "total", "peak", "at_edge")
    return Regions(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _components(count: int, links: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The group of each of `count` parts, given pairs of 1-based parts that belong together."""
    if not links:
        return np.arange(count, dtype=np.int64)
    one, other = np.concatenate(links, axis=1) - 1
    graph = coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(count, count))
    _, group = connected_components(graph, directed=False)
    return np.asarray(group, np.int64)


def _merge(parts: Regions, at_edge: NDArray[np.bool_], group: NDArray[np.int64]) -> Regions:
    """One region a group; whole numbers only are summed, so the order does not matter."""
    count = int(group.max()) + 1 if len(group) else 0
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, group, parts.first)
    pixels, total = np.zeros((2, count), np.int64)
    np.add.at(pixels, group, parts.pixels)
    np.add.at(total, group, parts.total)
    peak, edge = np.zeros(count, np.uint8), np.zeros(count, np.bool_)
    np.maximum.at(peak, group, parts.peak)
    np.logical_or.at(edge, group, at_edge)
    return Regions(_unite(parts.polygon, group, count), first, pixels, total, peak, edge)


def _unite(polygons: Geometries, group: NDArray[np.int64], count: int) -> Geometries:
    """The union of each group, without the points that a block border left on straight edges."""
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(count + 1))
    united = polygons[order[bounds[:-1]]]
    joined = np.flatnonzero(np.diff(bounds) > 1)
    for i in joined:
        united[i] = shapely.union_all(polygons[order[bounds[i] : bounds[i + 1]]])
    united[joined] = canonical(united[joined])
    return united


def canonical(polygons: Geometries) -> Geometries:
    """Valid polygons without collinear points, rings and starting points in a fixed order."""
    broken = ~shapely.is_valid(polygons)
    if broken.any():
        # A ring that touches itself at a pixel corner: the same ground, said as shell and hole.
        polygons = polygons.copy()
        polygons[broken] = shapely.buffer(polygons[broken], 0)
    return np.asarray(shapely.normalize(shapely.simplify(polygons, 0)), dtype=np.object_)
