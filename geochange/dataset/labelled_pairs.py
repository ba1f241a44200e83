"""Labelled pairs: two rasters and their labels, read as chips on one grid, as `run` reads them."""

from __future__ import annotations

import logging
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np

from geochange.chip import UNKNOWN, Chip, fill_invalid
from geochange.dataset.labels import Labels, PolygonLabels, holds_change, open_labels
from geochange.dataset.reviewed_labels import (
    ACCEPT,
    REJECT,
    ReviewedLabels,
    open_reviewed,
    statuses_of,
)
from geochange.errors import InputError, OptionError
from geochange.files.archives import gdal_name
from geochange.files.file_tree import files_in, folders_in, is_file, is_folder
from geochange.grid.grid import Grid
from geochange.grid.tiling import TilePlan, Window
from geochange.inputs.modality import refuse_two_modalities
from geochange.inputs.open_pair import need_8bit
from geochange.raster.access.declared_size import refuse_implausible_size
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import RasterInfo
from geochange.raster.scene.decibels import Decibels, refuse_8bit
from geochange.raster.scene.radiometry import Radiometry, StretchMode, parse_stretch
from geochange.raster.scene.sampling import SceneSample, warn_fills
from geochange.raster.sources.resolve import PICTURES, RASTERS, PathLike, inspect_source, source_of
from geochange.vector.files.formats import VECTORS

logger = logging.getLogger(__name__)

LABELS = ("labels.gpkg", "labels.geojson", "labels.fgb", "labels.tif")
"""File names of the labels of a pair. The first that exists is used, then other formats."""

RGB = 3
"""Bands of a chip."""
RAW, FLOAT_DECIBELS = "raw", "decibels as float"
"""Stretches for any number of bands as floats: values as in the raster, or decibels of a radar."""

ReadChip = Callable[[Window], Chip]


@dataclass(frozen=True)
class Scene:
    """A labelled pair on one grid, with the stretch of the whole scene; small enough to pickle."""

    pair: RasterPair
    radiometry: Radiometry
    labels: Labels | ReviewedLabels

    @contextmanager
    def reader(self) -> Iterator[ReadChip]:
        """Open all three files. Yields a function from a window to a labelled chip.

        A window may exceed the raster. The chip is 8-bit RGB. Its label is unknown where a date has no
        data. The handles belong to the thread that opened them.
        """
        with (
            self.pair.before.reader() as before,
            self.pair.after.reader() as after,
            self.labels.reader() as label,
        ):

            def read(window: Window) -> Chip:
                first, first_valid = before(window)
                second, second_valid = after(window)
                first, second = self.radiometry.apply(first, second)
                chip = fill_invalid(first, first_valid, second, second_valid)
                known = np.where(chip.valid, label(window), np.uint8(UNKNOWN))
                return replace(chip, label=known)

            yield read


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A file of polygons whose reviews decide the labels; see `geochange.dataset.reviewed_labels`."""

    path: PathLike


def open_scene(
    before: PathLike,
    after: PathLike,
    labels: PathLike | Reviewed,
    bands: Bands | None = None,
    grid: str = "before",
    stretch: str = "auto",
) -> Scene:
    """Put a pair and its labels on one grid. The stretch is that of the scene, as in `run`.

    bands: three of each date. None takes the first three. A single band is repeated three times. For
    stretch RAW or FLOAT_DECIBELS any number, as floats; None then takes all of them.
    grid: "before", "after", or the path of a raster with the grid.

    Raises InputError or OptionError for an input that cannot be used.
    """
    mode, free = _scene_mode(stretch)
    first, second = inspect_source(before), inspect_source(after)
    refuse_two_modalities(first, second)
    chosen = _default_bands(first, second, free) if bands is None else bands
    if len(chosen.before) != RGB and not free:
        told = f"--bands: chips need three bands, not {len(chosen.before)}"
        raise OptionError(f"{told}; name three, or keep all values (--stretch raw)")
    pair = align_pair(
        first, second, grid if grid in ("before", "after") else source_of(grid), chosen
    )
    refuse_implausible_size(pair)
    if mode == "none" and not free:
        need_8bit(pair.before, pair.after)
    for date in (pair.before, pair.after):
        refuse_8bit(date.info.path, date.dtype, mode)
    found = _open_labels(labels, pair.grid)
    sample = SceneSample(pair).with_fills_masked()
    warn_fills(sample)
    return Scene(sample.pair, sample.radiometry(mode), found)


def _open_labels(labels: PathLike | Reviewed, grid: Grid) -> Labels | ReviewedLabels:
    found: Labels | ReviewedLabels
    if isinstance(labels, Reviewed):
        found = open_reviewed(Path(gdal_name(os.fspath(labels.path))), grid)
    else:
        found = open_labels(labels, grid)
    if not holds_change(found):
        logger.warning(
            "%s: holds no change on the pair: no pixel of the pair is change; check its values and "
            "its place, or name other labels",
            found.path,
        )
    if isinstance(found, PolygonLabels):
        _warn_reviewed(found)
    return found


def _warn_reviewed(labels: PolygonLabels) -> None:
    counts = statuses_of(labels.layer)
    if counts and counts[ACCEPT] + counts[REJECT]:
        logger.warning(
            "%s: holds reviews, but all its polygons count as change; use them with --reviewed",
            labels.path,
        )


def _scene_mode(stretch: str) -> tuple[StretchMode, bool]:
    """The stretch of a scene, and whether it has any number of bands as floats."""
    if stretch == FLOAT_DECIBELS:
        return Decibels(as_float=True), True
    return ("none", True) if stretch == RAW else (parse_stretch(stretch), False)


def _default_bands(before: RasterInfo, after: RasterInfo, every: bool) -> Bands:
    if every:
        return Bands.default(before, after, min(len(before.data_bands), len(after.data_bands)))
    bands = Bands.default(before, after, None)
    if len(bands.before) == 1:
        return Bands(bands.before * RGB, bands.after * RGB)
    if len(bands.before) < RGB:
        poor = before if len(before.data_bands) < RGB else after
        raise InputError(
            f"{poor.path}: has {len(poor.data_bands)} bands, but chips need three; "
            "repeat one (--bands 1,2,2)"
        )
    return bands


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A folder that holds before.tif, after.tif and labels."""

    name: str
    before: Path
    after: Path
    labels: Path


def find_pairs(folder: Path) -> tuple[LabelledPair, ...]:
    """The pairs of a split, sorted by name: its folders NAME/ with before.tif, after.tif and labels.

    The first existing file of LABELS holds the labels. Raises InputError if the folder is missing, has
    no pair, or has an incomplete pair.
    """
    if not is_folder(folder):
        raise InputError(f"{folder}: no such folder; put pairs into it, as NAME/before.tif")
    places = [place for place in folders_in(folder).values() if is_file(place / "before.tif")]
    if not places:
        raise InputError(f"{folder}: holds no pair; put them into it, as NAME/before.tif")
    return tuple(map(_pair_in, places))


def _pair_in(place: Path) -> LabelledPair:
    after = place / "after.tif"
    if not is_file(after):
        raise InputError(f"{after}: is missing beside before.tif; put the second date there")
    return LabelledPair(place.name, place / "before.tif", after, _labels_in(place))


def _labels_in(place: Path) -> Path:
    there = {path.name: path for path in (*files_in(place), *_folders_of_labels(place))}
    named = [there[name] for name in LABELS if name in there]
    others = [
        path
        for name, path in sorted(there.items())
        if name.startswith("labels.") and path.suffix.lower() in (*VECTORS, *RASTERS, *PICTURES)
    ]
    labels = next(iter((*named, *others)), None)
    if labels is None:
        raise InputError(f"{place}: holds no labels; put one of {', '.join(LABELS)} there")
    return labels


def _folders_of_labels(place: Path) -> list[Path]:
    """Folders that are labels themselves, such as labels.gdb. Archives are files here."""
    folders = folders_in(place).items()
    return [path for name, path in folders if name.startswith("labels.") and path.name == name]


@dataclass(frozen=True)
class PairChips:
    """A ChipSource that reads chips from labelled pairs on demand, in the order of pairs and tiles.

    bands: three band numbers, 1-based, for both dates. None takes the first three. stretch: see
    `open_scene`, also for other numbers of bands. Chips overlap by
    `overlap_px`; the last chip of a row or column may overlap more. A chip exceeds a pair that is
    smaller than the chip; the pixels outside are unknown.

    Creating it raises InputError or OptionError for a pair that cannot be used.
    """

    pairs: tuple[LabelledPair, ...]
    bands: tuple[int, ...] | None = None
    size_px: int = 256
    overlap_px: int = 0
    stretch: str = "auto"

    def __post_init__(self) -> None:
        _ = self.scenes

    @cached_property
    def scenes(self) -> tuple[Scene, ...]:
        """Each pair on its grid."""
        bands = None if self.bands is None else Bands(self.bands, self.bands)
        return tuple(
            open_scene(pair.before, pair.after, pair.labels, bands, stretch=self.stretch)
            for pair in self.pairs
        )

    @cached_property
    def _plans(self) -> tuple[TilePlan, ...]:
        return tuple(
            TilePlan(scene.pair.grid.shape, self.size_px, self.overlap_px, 1)
            for scene in self.scenes
        )

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        """For each pair, the number of the first chip after its own."""
        return tuple(accumulate(plan.tile_count for plan in self._plans))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> Chip:
        """The chip with its label. Raises RunError if pixels cannot be read."""
        pair, window = self._place(number)
        with self.scenes[pair].reader() as read:
            return read(window)

    def pictures(self, number: int) -> tuple[str, str]:
        """The name of each date's chip: NAME/before/NAME_row_col, with row and col of its first pixel."""
        pair, _ = self._place(number)
        name, folder = self.name(number), self.pairs[pair].name
        return f"{folder}/before/{name}", f"{folder}/after/{name}"

    def name(self, number: int) -> str:
        """NAME_row_col, with row and col of the first pixel."""
        pair, window = self._place(number)
        return f"{self.pairs[pair].name}_{window.row}_{window.col}"

    def _place(self, number: int) -> tuple[int, Window]:
        """The index of the pair of a chip, and the window of the chip in it."""
        if not 0 <= number < len(self):
            raise IndexError(f"chip {number} of {len(self)}")
        pair = bisect_right(self._ends, number)
        plan = self._plans[pair]
        within = number - (self._ends[pair - 1] if pair else 0)
        return pair, plan.tile_window(divmod(within, plan.cols.tiles))
