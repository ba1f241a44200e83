"""Reviewed labels: polygons that a person has accepted or rejected, as labels for training."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyogrio
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNCHANGED, UNKNOWN
from geochange.dataset.labels import CACHED_FILES, label_on_grid
from geochange.dataset.raster_labels import ReadLabel
from geochange.errors import InputError
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.qgis.schema import STATUS, STATUSES
from geochange.vector.files.formats import is_vector, readable_name
from geochange.vector.files.polygon_reader import (
    UNREADABLE,
    Burner,
    Layer,
    find_layer,
    read_outlines,
)
from geochange.vector.files.run_record import read_record, run_options

logger = logging.getLogger(__name__)

UNSET, ACCEPT, REJECT = STATUSES
"""The values of a review. An empty value is unset."""

LABELS: Mapping[str, int] = {UNSET: UNKNOWN, REJECT: UNCHANGED, ACCEPT: CHANGED}
"""The label of a polygon by its review. Where polygons overlap, the later row wins."""

CURE = f"set {STATUS} to {ACCEPT} or {REJECT} in QGIS, save, and try again"


@dataclass(frozen=True)
class ReviewedLabels:
    """Accepted polygons are change, rejected ones are unchanged, all others are unknown.

    The ground outside all polygons is unchanged. A reviewer looks at the whole file, and draws and
    accepts the changes that the run missed.
    """

    layer: Layer
    grid: Grid

    @property
    def path(self) -> Path:
        """The file."""
        return self.layer.path

    @contextmanager
    def reader(self) -> Iterator[ReadLabel]:
        """Read the polygons, or take them from the cache of this process."""
        burners = self._burners()

        def read(window: Window) -> NDArray[np.uint8]:
            drawn = np.full((window.height, window.width), UNCHANGED, np.uint8)
            for status, value in LABELS.items():
                drawn[burners[status].burn(window)] = value
            return label_on_grid(drawn, window, self.grid)

        yield read

    def holds(self, status: str, window: Window) -> bool:
        """Whether a polygon of this status covers a pixel of a window. The window may exceed the grid."""
        return bool(self._burners()[status].burn(window).any())

    def count(self, status: str) -> int:
        """The number of polygons of this status on the grid."""
        return len(self._burners()[status].outlines)

    def _burners(self) -> Mapping[str, Burner]:
        return _burners_of(self.layer.key, self)


@lru_cache(CACHED_FILES)
def _burners_of(key: tuple[str, str, int], labels: ReviewedLabels) -> Mapping[str, Burner]:
    """The polygons of each status. `key` changes when the file is saved, so that it is read again."""
    return {
        status: Burner(read_outlines(labels.layer, labels.grid, where=_where(status)))
        for status in LABELS
    }


def _where(status: str) -> str:
    """A WHERE condition in SQL."""
    said = f"{STATUS} = '{status}'"
    return f"{said} OR {STATUS} IS NULL OR {STATUS} = ''" if status == UNSET else said


def open_reviewed(path: Path, grid: Grid) -> ReviewedLabels:
    """The labels on a grid, from a reviewed file.

    Raises InputError if the file holds no polygons or no reviews, or if no polygon on the grid is
    accepted.
    """
    if not is_vector(path):
        raise InputError(
            f"{path}: is not a file of polygons; --reviewed takes those of a run (changes.gpkg)"
        )
    layer = find_layer(path)
    counts = statuses_of(layer)
    if counts is None:
        raise InputError(
            f"{path}: has no attribute {STATUS!r}; review the polygons of a run, or leave "
            "--reviewed out to take all as change"
        )
    if odd := sorted(counts.keys() - LABELS.keys()):
        raise InputError(
            f"{path}: holds the {STATUS} {odd[0]!r}; it may be {', '.join(LABELS)}, or empty"
        )
    if not counts[ACCEPT] + counts[REJECT]:
        raise InputError(f"{path}: none of its {layer.features:,} polygons is reviewed; {CURE}")
    labels = ReviewedLabels(layer, grid)
    if not labels.count(ACCEPT):
        where = "lies on the pair" if counts[ACCEPT] else f"has the {STATUS} {ACCEPT}"
        raise InputError(
            f"{path}: no accepted polygon {where}; accept some, or draw what changed and accept it"
        )
    _warn_only(layer.path)
    return labels


def _warn_only(path: Path) -> None:
    """Warn that a run left changes out by --only. Its raster does not know them, either."""
    if classes := run_options(read_record(path)).get("only"):
        logger.warning(
            "%s: its run kept --only %s, so what else changed outside of its polygons becomes label 0, "
            "no change; run the tuned network with --only %s, too, or draw and accept the other changes",
            path,
            classes,
            classes,
        )


def statuses_of(layer: Layer) -> Counter[str] | None:
    """The number of polygons of each status; an empty status is unset. None without such a column.

    Raises InputError if the file cannot be read.
    """
    try:
        with readable_name(layer.path) as name:
            if STATUS not in pyogrio.read_info(name, layer.name)["fields"]:
                return None
            _, _, _, (values,) = pyogrio.raw.read(
                name, layer.name, columns=[STATUS], read_geometry=False
            )
    except UNREADABLE as error:
        raise InputError(f"{layer.path}: damaged, it cannot be read; export it again") from error
    return Counter(_text(value) or UNSET for value in values.tolist())


def _text(value: object) -> str:
    """A value of the column as text, whatever its type. A missing value is empty."""
    return "" if value is None or value != value else str(value)
