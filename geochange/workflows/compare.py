"""The workflow that compares polygons with a reference, by pixels, boundaries and objects."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.chip import UNKNOWN
from geochange.errors import InputError, OptionError
from geochange.grid.grid import Grid
from geochange.grid.tiling import TilePlan, Window
from geochange.raster.reader import inspect_grid
from geochange.raster.sources.resolve import PathLike, source_of
from geochange.training.metrics.boundary import BoundaryCounts, boundary_counts
from geochange.training.metrics.counts import Counts
from geochange.vector.comparison_grid import grid_of_run, metric_grid
from geochange.vector.files.polygon_reader import Burner, Layer, find_layer, read_outlines
from geochange.vector.geodesic import geodesic_measures
from geochange.vector.object_matching import match_polygons, split_polygons
from geochange.vector.tracing.polygons import Geometries

logger = logging.getLogger(__name__)

IOU_LEVELS = (0.1, 0.5)
"""The least IoU at which two polygons count as the same object."""

SIZE_LIMITS_M2 = (100.0, 1_000.0, 10_000.0)
"""The limits between size classes of objects."""

WINDOW_PX = 2048
"""The size of the windows in which pixels are compared."""

TOLERANCE_PX = 2
"""The largest distance between two boundaries that agree."""


@dataclass(frozen=True, slots=True)
class ObjectCounts:
    """The number of polygons of each file, and how many of them match one of the other file.

    The size class of a polygon is that of its own area. So two matched polygons may be in different
    classes.
    """

    found: int = 0
    reference: int = 0
    found_matched: int = 0
    reference_matched: int = 0

    def figures(self) -> Mapping[str, float]:
        """precision, recall and f1, each from 0 to 1; 0 if there are no polygons."""
        precision = self.found_matched / self.found if self.found else 0.0
        recall = self.reference_matched / self.reference if self.reference else 0.0
        both = precision + recall
        return {
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / both if both else 0.0,
        }


@dataclass(frozen=True)
class Comparison:
    """How well detected polygons agree with a reference, on the extent of `grid`.

    pixel_m2: the area of a pixel in the middle of the grid. left_out: features of each file that lie
    outside the grid. objects: counts by IoU, then by size class; `all` comes first.
    """

    grid: Grid
    pixel_m2: float
    tolerance_px: int
    left_out: Mapping[str, int]
    pixels: Counts
    boundary: BoundaryCounts
    objects: Mapping[float, Mapping[str, ObjectCounts]]

    def to_json(self) -> dict[str, object]:
        """Values for JSON, with the measures beside their counts."""
        return {
            "grid": {
                "crs": self.grid.crs.to_string(),
                "transform": list(self.grid.transform)[:6],
                "shape": list(self.grid.shape),
                "pixel_m2": self.pixel_m2,
            },
            "left_out": dict(self.left_out),
            "pixels": {**asdict(self.pixels), **self.pixels.figures()},
            "boundary": {
                "tolerance_px": self.tolerance_px,
                **asdict(self.boundary),
                "precision": self.boundary.precision,
                "recall": self.boundary.recall,
                "f1": self.boundary.f1,
            },
            "objects": {
                f"iou_{iou:g}": {
                    size: {**asdict(counts), **counts.figures()} for size, counts in sizes.items()
                }
                for iou, sizes in self.objects.items()
            },
        }


@dataclass(frozen=True)
class ComparisonArea:
    """The grid of the comparison. within: polygons that limit it, or None for the whole grid."""

    grid: Grid
    within: Geometries | None = None

    @property
    def area(self) -> shapely.Geometry:
        """The compared area, in pixels of the grid."""
        height, width = self.grid.shape
        whole = shapely.box(0, 0, width, height)
        if self.within is None:
            return whole
        return shapely.intersection(shapely.union_all(shapely.make_valid(self.within)), whole)


def compare(
    found: PathLike,
    reference: PathLike,
    *,
    pixel_m: float | None = None,
    tolerance_px: int = TOLERANCE_PX,
    extent: PathLike | None = None,
    within: PathLike | None = None,
) -> Comparison:
    """Compare polygons with a reference. Each file may have any CRS.

    The grid is that of the raster `extent`. Without it, pixels of `pixel_m` metres cover all polygons
    of both files. Without both, the grid is that of the run that wrote `found`. Polygons outside the
    grid, or outside the polygons of `within`, are ignored. Polygons that cross the border are clipped.
    A file without polygons is valid and means no change.

    Raises InputError for a file that cannot be used or whose polygons are all outside the grid. Raises
    OptionError if there is no grid.
    """
    files = Path(found), Path(reference)
    grid = _grid(*files, pixel_m, extent)
    ground = ComparisonArea(grid, None if within is None else _area_of_interest(Path(within), grid))
    layers = [find_layer(path) for path in files]
    if layers[1].features == 0:
        logger.warning("%s: holds no change: there is no polygon in the reference", reference)
    ours, theirs = (_outlines(layer, grid) for layer in layers)
    pixels, boundary = _compare_pixels(Burner(ours), Burner(theirs), ground, tolerance_px)
    return Comparison(
        grid=grid,
        pixel_m2=_pixel_m2(grid),
        tolerance_px=tolerance_px,
        left_out={
            "found": layers[0].features - len(ours),
            "reference": layers[1].features - len(theirs),
        },
        pixels=pixels,
        boundary=boundary,
        objects=_compare_objects(ours, theirs, ground),
    )


def _grid(found: Path, reference: Path, pixel_m: float | None, extent: PathLike | None) -> Grid:
    if extent is not None and pixel_m is not None:
        raise OptionError(
            "an extent has its own pixel size; give the extent or the pixel size, not both"
        )
    layers = [find_layer(path) for path in (found, reference)]
    if extent is not None:
        return inspect_grid(source_of(extent))
    if pixel_m is not None:
        if not 0 < pixel_m < float("inf"):
            raise OptionError(f"pixels of {pixel_m:g} m: give a size above 0")
        return metric_grid(layers, pixel_m)
    grid = grid_of_run(found)
    if grid is None:
        raise OptionError(
            f"{found}: does not record the grid of its run; give the size of a pixel in metres "
            "(--pixel 0.5), or a raster of that grid (--extent)"
        )
    return grid


def _area_of_interest(within: Path, grid: Grid) -> Geometries:
    layer = find_layer(within)
    area = _outlines(layer, grid)
    if len(area) == 0:
        raise InputError(f"{within}: holds no polygon; leave it out, or draw one")
    return area


def _outlines(layer: Layer, grid: Grid) -> Geometries:
    outlines = read_outlines(layer, grid)
    if layer.bounds is not None and len(outlines) == 0:
        raise InputError(
            f"{layer.path}: none of its polygons lies on the ground that is compared; check its "
            "CRS and place"
        )
    return outlines


def _pixel_m2(grid: Grid) -> float:
    row, col = grid.shape[0] // 2, grid.shape[1] // 2
    pixel = np.array([shapely.box(col, row, col + 1, row + 1)], dtype=np.object_)
    return float(geodesic_measures(pixel, grid)[0][0])


def _compare_pixels(
    ours: Burner, theirs: Burner, ground: ComparisonArea, tolerance_px: int
) -> tuple[Counts, BoundaryCounts]:
    """Pixel and boundary counts, summed over windows. The windows do not change the counts."""
    known = None if ground.within is None else Burner(ground.within)
    pixels, boundary = Counts(), BoundaryCounts()
    for core, window in _windows(ground.grid, margin_px=tolerance_px + 1):
        changed, label = ours.burn(window), theirs.burn(window).astype(np.uint8)
        if known is not None:
            label[~known.burn(window)] = UNKNOWN
        inner = core.within(window)
        pixels += Counts.of(changed[inner], label[inner])
        boundary += boundary_counts(changed, label, tolerance_px, inner)
    return pixels, boundary


def _windows(grid: Grid, margin_px: int) -> Iterator[tuple[Window, Window]]:
    """Windows that cover each pixel of the grid once, and the same windows with a margin."""
    for core in TilePlan(grid.shape, WINDOW_PX, 0, 1).output_windows():
        grown = Window(
            core.row - margin_px,
            core.col - margin_px,
            core.height + 2 * margin_px,
            core.width + 2 * margin_px,
        )
        window = grown.intersection(grid.full_window)
        assert window is not None
        yield core, window


def _compare_objects(
    ours: Geometries, theirs: Geometries, ground: ComparisonArea
) -> dict[float, dict[str, ObjectCounts]]:
    area = ground.area
    found, reference = split_polygons(ours, area), split_polygons(theirs, area)
    found_sizes, reference_sizes = (_sizes(each, ground.grid) for each in (found, reference))
    matches = match_polygons(found, reference, min(IOU_LEVELS))
    table: dict[float, dict[str, ObjectCounts]] = {}
    for iou in IOU_LEVELS:
        chosen = matches.above(iou)
        columns = [
            _count_by_size(sizes)
            for sizes in (
                found_sizes,
                reference_sizes,
                found_sizes[chosen.found],
                reference_sizes[chosen.reference],
            )
        ]
        counts = [ObjectCounts(*row) for row in zip(*columns, strict=True)]
        table[iou] = dict(zip(("all", *size_names()), counts, strict=True))
    return table


def _sizes(objects: Geometries, grid: Grid) -> NDArray[np.intp]:
    """The size class of each object, by its area on the ellipsoid."""
    return np.digitize(geodesic_measures(objects, grid)[0], SIZE_LIMITS_M2)


def _count_by_size(sizes: NDArray[np.intp]) -> list[int]:
    """The number of all objects, then of those in each size class."""
    return [len(sizes), *np.bincount(sizes, minlength=len(SIZE_LIMITS_M2) + 1).tolist()]


def size_names() -> list[str]:
    """The names of the size classes, from small to large."""
    edges = [f"{edge:,.0f}" for edge in SIZE_LIMITS_M2]
    between = [f"{low} to {high} m2" for low, high in pairwise(edges)]
    return [f"below {edges[0]} m2", *between, f"{edges[-1]} m2 and more"]
