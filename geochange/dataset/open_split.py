"""Opens the chips of a split of a data set."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from geochange.dataset.chip_files import FileChips, read_date
from geochange.dataset.chip_lists import read_list
from geochange.dataset.label_values import (
    LabelCode,
    LabelValues,
    code_of,
    declared_in,
    label_warnings,
    read_label_values,
)
from geochange.dataset.labelled_pairs import FLOAT_DECIBELS, RAW, PairChips, find_pairs
from geochange.dataset.layouts import LAYOUTS, find_layout, records
from geochange.dataset.split_names import LIST as LIST_SUFFIX
from geochange.dataset.split_names import is_there, split_path, warn_once
from geochange.errors import InputError, OptionError
from geochange.raster.bands import Bands
from geochange.raster.pictures.image import RGB, describe_picture
from geochange.raster.scene.decibels import Decibels, refuse_8bit
from geochange.raster.scene.radiometry import (
    UNCHANGED,
    Radiometry,
    Sampled,
    StretchMode,
    choose_radiometry,
)
from geochange.training.data.chip_source import SPLITS, ChipSource, Record

logger = logging.getLogger(__name__)

DATA_ROOT_VARIABLE = "CDPATH"
"""The environment variable with the folder of data sets, as in the published configurations."""

AUTO, LIST, PAIRS = "auto", "list", "pairs"
LAYOUT_NAMES = (AUTO, *LAYOUTS, LIST, PAIRS)
"""The names of layouts; "auto" detects the layout."""

EIGHT_BIT, DECIBELS = "8-bit", "db"
PIXELS = {EIGHT_BIT: "auto", "raw": RAW, DECIBELS: FLOAT_DECIBELS}
"""What pixels of chips may be, and the stretch of a labelled pair that makes them."""

STRETCH_CHIPS = 256
"""The number of chips, spread evenly over the split, from which a stretch is chosen."""

STRETCH_PIXELS = 4 * 1024**2
"""The number of pixels of each date from which a stretch is chosen."""

SAMPLED_LABELS = 500
"""The number of labels of each other split that are read to decide what 255 means."""

Where = str | os.PathLike[str]
_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def find_root(root: str | None, name: str | None) -> Path:
    """The folder of a data set: `root`, or the folder `name` below a folder that CDPATH names.

    Raises InputError if the folder does not exist, and OptionError if no folder is given.
    """
    ways = f"name the folder by --data, by data.root in the YAML, or {DATA_ROOT_VARIABLE} with data.name"
    if root is not None:
        return _need_folder(Path(root).expanduser(), ways)
    # The variable may hold several folders, separated like PATH.
    places = [
        Path(place) for place in os.environ.get(DATA_ROOT_VARIABLE, "").split(os.pathsep) if place
    ]
    if name is None or not places:
        raise OptionError(f"no data set is named; {ways}")
    found = [place.expanduser() / name for place in places]
    return next((path for path in found if path.is_dir()), None) or _need_folder(found[0], ways)


def splits_of(root: Where, layout: str = AUTO) -> tuple[str, ...]:
    """The splits among train, val and test that exist. Raises InputError if there is none."""
    place = _checked_root(root, layout)
    found = tuple(split for split in SPLITS if _is_there(place, split, layout))
    if not found:
        raise InputError(
            f"{place}: holds neither train/, val/, test/ nor lists of such names; check the path"
        )
    return found


def has_split(root: Where, split: str, layout: str = AUTO) -> bool:
    """Whether a split exists, under any of its names. Raises InputError and OptionError."""
    return _is_there(_checked_root(root, layout), split, layout)


def layout_of(root: Where, split: str, layout: str = AUTO) -> str:
    """The name of a split's layout. "auto" detects it from the folders.

    Raises InputError if no layout matches.
    """
    place = _checked_root(root, layout)
    if layout != AUTO:
        return layout
    folder = split_path(place, split)
    if folder.is_dir():
        if found := find_layout(place):
            return found
        if any(folder.glob("*/before.tif")):
            return PAIRS
    if _is_there(place, split, LIST):
        return LIST
    if not folder.is_dir():
        there = ", ".join(other for other in SPLITS if _is_there(place, other, AUTO))
        raise InputError(
            f"{place}: has neither {split}/ nor {split}.txt{f', but {there}' if there else ''}; "
            "check the path"
        )
    kinds = dict.fromkeys("/ ".join(kind.folders) + "/" for kind in LAYOUTS.values())
    raise InputError(
        f"{folder}: holds no known layout ({'; '.join(kinds)}; NAME/before.tif), and there "
        f"is no {split}.txt; check the path, or name the layout (--layout)"
    )


def records_of(root: Where, split: str, layout: str = AUTO) -> tuple[Record, ...]:
    """The chips of a split, for layouts with one file per picture. Raises InputError."""
    place, kind = Path(root), layout_of(root, split, layout)
    if kind == PAIRS:
        folder = split_path(place, split)
        raise InputError(f"{folder}: holds whole rasters, no chips; cut them (data chips)")
    if kind == LIST:
        return read_list(split_path(place, split, LIST_SUFFIX), place)
    return records(place, LAYOUTS[kind], split)


def open_split(
    root: Where,
    split: str,
    *,
    layout: str = AUTO,
    bands: str | tuple[int, ...] | None = None,
    pixels: str = EIGHT_BIT,
) -> ChipSource:
    """The chips of a split. Every label is read once to find the meaning of its values.

    bands: band numbers, 1-based, or a text such as "4,3,2". None takes the first three, or all with
    other pixels than 8-bit. pixels: "8-bit"; "raw", as in the files; or "db", decibels of a radar.
    8-bit pictures are used unchanged. Others get one stretch for the whole data set. It is chosen as
    `run` chooses it for a scene, from the training chips if there are any.

    Raises InputError and OptionError.
    """
    place, chosen = Path(root), _bands(bands, pixels)
    if layout_of(place, split, layout) == PAIRS:
        pairs = find_pairs(split_path(place, split))
        return PairChips(pairs, chosen, stretch=PIXELS[pixels])
    chips = records_of(place, split, layout)
    if pixels != EIGHT_BIT:
        chosen = chosen or describe_picture(chips[0].before).bands
    dtypes = _dtypes(chips[0])
    radiometry = UNCHANGED
    if pixels == DECIBELS or (pixels == EIGHT_BIT and any(dtype != np.uint8 for dtype in dtypes)):
        base = (
            records_of(place, SPLITS[0], layout) if _is_there(place, SPLITS[0], layout) else chips
        )
        dtypes = _dtypes(base[0])
        mode = Decibels(as_float=True) if pixels == DECIBELS else "auto"
        for path, dtype in zip((base[0].before, base[0].after), dtypes, strict=True):
            refuse_8bit(str(path), dtype, mode)
        radiometry = _stretch(base, chosen, dtypes, mode)
    labels = list(map_threaded(read_label_values, (chip.label for chip in chips)))
    declared = declared_in(place, labels)
    code = code_of(labels, lambda: _sample_labels(place, split, layout), declared)
    _warn_labels(place, split, labels, code)
    return FileChips(place, chips, chosen, dtypes, radiometry, code)


def _warn_labels(root: Path, split: str, labels: Sequence[LabelValues], code: LabelCode) -> None:
    """Warn about unusual labels of a split. Warnings that all splits share appear once."""
    for remark in label_warnings(labels, code):
        warn_once(f"{root}: {remark}")
    if code.change not in code.values:
        held = ", ".join(map(str, code.values)) or "no number"
        logger.warning(
            "%s, %s: holds no change: none of its %d labels has a pixel of change, they hold %s; "
            "check them (geochange data check)",
            *(root, split, len(labels), held),
        )


def map_threaded(make: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made]:
    """make(item) for each item, in order. It runs in threads, because decoding releases the GIL."""
    with ThreadPoolExecutor() as threads:
        yield from threads.map(make, items)


def _need_folder(path: Path, ways: str) -> Path:
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; {ways}")
    return path


def _checked_root(root: Where, layout: str) -> Path:
    if layout not in LAYOUT_NAMES:
        raise OptionError(f"layout {layout} is not known; choose {', '.join(LAYOUT_NAMES)}")
    return _need_folder(Path(root), "name the folder that holds train/, val/ or test/")


def _is_there(root: Path, split: str, layout: str) -> bool:
    listed, inside = is_there(root, split, LIST_SUFFIX), is_there(root, split)
    return listed if layout == LIST else inside or (layout == AUTO and listed)


def _bands(bands: str | tuple[int, ...] | None, pixels: str) -> tuple[int, ...] | None:
    if bands is None:
        return None
    chosen = Bands.parse(bands) if isinstance(bands, str) else Bands(bands, bands)
    if chosen.before != chosen.after:
        raise OptionError(
            f"--bands {bands}: chips need the same bands at both dates; name them once"
        )
    if len(chosen.before) != RGB and pixels == EIGHT_BIT:
        raise OptionError(
            "--bands: chips need three bands; name three, such as 4,3,2, or train on others "
            "(data.pixels raw)"
        )
    return chosen.before


def _dtypes(chip: Record) -> tuple[np.dtype[Any], np.dtype[Any]]:
    return describe_picture(chip.before).dtype, describe_picture(chip.after).dtype


def _stretch(
    chips: Sequence[Record],
    bands: tuple[int, ...] | None,
    dtypes: tuple[np.dtype[Any], np.dtype[Any]],
    mode: StretchMode,
) -> Radiometry:
    sample = _spread(chips, STRETCH_CHIPS)
    budget = STRETCH_PIXELS // len(sample)

    def thinned(path: Path, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        pixels, valid = read_date(path, bands, dtype)
        held = pixels[valid]
        return held[:: -(-len(held) // budget) or 1]

    before = list(map_threaded(lambda chip: thinned(chip.before, dtypes[0]), sample))
    after = list(map_threaded(lambda chip: thinned(chip.after, dtypes[1]), sample))
    dates = zip((before, after), dtypes, strict=True)
    return choose_radiometry(
        mode, *(Sampled(np.concatenate(values), dtype) for values, dtype in dates)
    )


def _sample_labels(root: Path, split: str, layout: str) -> Iterator[LabelValues]:
    """Some labels of each other split. Splits that cannot be read are skipped.

    Errors of another split are reported when that split is opened.
    """
    for other in SPLITS:
        if other != split and _is_there(root, other, layout):
            with suppress(InputError):
                chips = _spread(records_of(root, other, layout), SAMPLED_LABELS)
                yield from list(map_threaded(read_label_values, (chip.label for chip in chips)))


def _spread(chips: Sequence[Record], count: int) -> list[Record]:
    """At most `count` chips, evenly spread over the list."""
    numbers = np.linspace(0, len(chips) - 1, min(count, len(chips))).round().astype(int)
    return [chips[number] for number in numbers]
