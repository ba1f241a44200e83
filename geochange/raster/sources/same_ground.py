"""Same ground: refuses files of a pattern that lie on each other, because the last would hide the rest.

Such files are bands, or dates, that a pattern takes by accident. Tiles that overlap at their edges are
fine, and so is a small tile on a large one, and so are files with gaps, which others may fill.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geochange.errors import InputError
from geochange.files.archives import list_names
from geochange.raster.sentinel2 import RGB, files_of_band
from geochange.raster.sources.band_stack import STACK_SEPARATOR
from geochange.raster.sources.member_files import Member

SAME_SHARE = 0.9
"""The share of the larger of two files from which their overlap is the same ground."""

REACH = 1 - SAME_SHARE
"""The largest distance of their middles, in multiples of their sides."""

Place = tuple[Affine, tuple[int, int]]
"""The transform and the (rows, cols) of a file."""

PIECE = 100
"""The number of files that are compared with all others at a time, which limits the memory."""

BAND = re.compile(r"_(B\d{1,2}A?)[_.]")
"""The band in the names of single files of Sentinel-2 and Landsat."""


def refuse_same_ground(path: str, parts: Sequence[Member]) -> None:
    """Refuse files of one CRS of which two or more cover the same ground. Raises InputError."""
    groups = (
        [parts[number] for number in group]
        for group in _on_each_other([(part.transform, part.shape) for part in parts])
    )
    found = next((group for group in groups if not _may_fill_gaps(group)), None)
    if found is None:
        return
    names = [os.path.basename(part.path) for part in found]
    stack = STACK_SEPARATOR.join(_as_bands(names))
    raise InputError(
        f"{path}: {len(names)} of its files cover the same ground ({list_names(names)}), so one would "
        f'hide the others; are they bands? name "{stack}", each with its folder; are they dates? name one'
    )


def _may_fill_gaps(parts: Sequence[Member]) -> bool:
    """Whether files of one kind all say where they hold data, as parts of a swath do."""
    names = {tuple(BAND.findall(os.path.basename(part.path))) for part in parts}
    layouts = {tuple((band.dtype, band.name) for band in part.bands) for part in parts}
    return len(names) == 1 and len(layouts) == 1 and all(map(_has_gaps, parts))


def _has_gaps(part: Member) -> bool:
    known = (bool(band.missing_values) or band.mask is not None for band in part.bands)
    return part.alpha is not None or all(known)


def _on_each_other(places: Sequence[Place]) -> Iterator[list[int]]:
    """Each file that has others on its ground, with these, in order."""
    boxes = _boxes(places)
    middles, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    # Only files whose middles are close can cover the same ground, and few tiles of a mosaic are.
    tree = shapely.STRtree(shapely.points(middles))
    near = shapely.box(*(middles - size * REACH).T, *(middles + size * REACH).T)
    for start in range(0, len(places), PIECE):
        one, other = tree.query(near[start : start + PIECE])
        one = one + start
        same = _covers_same(boxes[one], boxes[other]) & (one != other)
        for first in np.unique(one[same]).tolist():
            yield sorted({first, *other[same & (one == first)].tolist()})


def _boxes(places: Sequence[Place]) -> NDArray[np.float64]:
    """(left, top, right, bottom) of each place in pixels of the first, in which no tile is rotated."""
    first = ~places[0][0]
    corners = np.array(
        [
            [first @ transform @ corner for corner in ((0, 0), (cols, 0), (cols, rows), (0, rows))]
            for transform, (rows, cols) in places
        ]
    )
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def _covers_same(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    shared = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    larger = np.maximum(_area(one[:, 2:] - one[:, :2]), _area(other[:, 2:] - other[:, :2]))
    return np.asarray(_area(np.maximum(shared, 0)) >= SAME_SHARE * larger)


def _area(sides: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sides[:, 0] * sides[:, 1])


def _as_bands(names: Sequence[str]) -> list[str]:
    """The files in the order of a stack: red, green and blue of Sentinel-2, else the first three."""
    rgb = [files_of_band(names, band) for band in RGB]
    return [one[0] for one in rgb] if all(len(one) == 1 for one in rgb) else list(names[:3])
