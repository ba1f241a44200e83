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
from geochange.dataset.labelled_pairs import PairChips
from geochange.dataset.layouts import LAYOUTS, Found, find_layout
from geochange.dataset.records import Record
from geochange.dataset.split_names import LIST as LIST_SUFFIX
from geochange.dataset.split_names import is_there, root_of, split_path, warn_once
from geochange.errors import InputError, OptionError
from geochange.files.file_tree import is_folder
from geochange.grid.tiling import Window
from geochange.raster.bands import Bands
from geochange.raster.pictures.band_files import Picture, describe_any
from geochange.raster.pictures.image import RGB
from geochange.raster.scene.radiometry import UNCHANGED, Radiometry, Sampled, choose_radiometry
from geochange.training.data.chip_source import SPLITS, ChipSource

logger = logging.getLogger(__name__)

DATA_ROOT_VARIABLE = "CDPATH"
"""The environment variable with the folder of data sets, as in the published configurations."""

AUTO, LIST = "auto", "list"
LAYOUT_NAMES = (AUTO, *LAYOUTS, LIST)
"""The names of layouts; "auto" detects the layout."""

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
    found = _splits(place, layout)
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

    Raises InputError if no layout matches, or if several do.
    """
    place = _checked_root(root, layout)
    if layout != AUTO:
        return layout
    found = find_layout(place, split)
    folder = split_path(place, split)
    if found is not None and (is_folder(folder) or LAYOUTS[found].fits(place, split)):
        return found
    if is_there(place, split, LIST_SUFFIX):
        return LIST
    if not is_folder(folder):
        _refuse_absent(place, split, found)
    kinds = dict.fromkeys(kind.about for kind in LAYOUTS.values())
    raise InputError(
        f"{folder}: holds no known layout ({'; '.join(kinds)}), and there is no {split}.txt; check "
        "the path, or name the layout (--layout)"
    )


def _refuse_absent(root: Path, split: str, found: str | None) -> None:
    """Refuse a split that does not exist. Raises InputError."""
    if found is not None and not is_folder(split_path(root, split)):
        LAYOUTS[found].find(root, split)  # says what names the splits of this layout
    there = ", ".join(_splits(root, AUTO))
    raise InputError(
        f"{root}: has neither {split}/ nor {split}.txt{f', but {there}' if there else ''}; "
        "check the path"
    )


def found_in(root: Where, split: str, layout: str = AUTO) -> Found:
    """What a layout takes from a split, and what it leaves out. Raises InputError."""
    place = root_of(Path(root))
    kind = layout_of(root, split, layout)
    if kind == LIST:
        file = split_path(place, split, LIST_SUFFIX)
        return Found(read_list(file, place), (file.name,))
    return LAYOUTS[kind].find(place, split)


def records_of(root: Where, split: str, layout: str = AUTO) -> tuple[Record, ...]:
    """The chips of a split, for layouts with one file per picture. Raises InputError."""
    found = found_in(root, split, layout)
    if found.pairs:
        folder = split_path(root_of(Path(root)), split)
        raise InputError(f"{folder}: holds whole rasters, no chips; cut them (data chips)")
    return found.records


def open_split(
    root: Where,
    split: str,
    *,
    layout: str = AUTO,
    bands: str | tuple[int, ...] | None = None,
) -> ChipSource:
    """The chips of a split. Every label is read once to find the meaning of its values.

    bands: three band numbers, 1-based, or a text such as "4,3,2". None takes the first three.
    8-bit pictures are used unchanged. Others get one stretch for the whole data set. It is chosen as
    `run` chooses it for a scene, from the training chips if there are any.

    Raises InputError and OptionError.
    """
    place, kind = root_of(Path(root)), layout_of(root, split, layout)
    own = LAYOUTS[kind].bands if kind in LAYOUTS else None
    chosen = own if bands is None else _bands(bands)
    found = found_in(root, split, kind)
    if found.pairs:
        return PairChips(found.pairs, chosen)
    chips = found.records
    dtypes = _dtypes(chips[0])
    radiometry = UNCHANGED
    if any(dtype != np.uint8 for dtype in dtypes):
        base = records_of(root, SPLITS[0], kind) if _is_there(place, SPLITS[0], kind) else chips
        dtypes = _dtypes(base[0])
        radiometry = _stretch(base, chosen, dtypes)
    return FileChips(place, chips, chosen, dtypes, radiometry, _code(place, split, kind, chips))


def _code(root: Path, split: str, layout: str, chips: Sequence[Record]) -> LabelCode | None:
    """The meaning of the values of masks. None for labels of other kinds."""
    masks = [chip.label for chip in chips if isinstance(chip.label, Path)]
    if not masks:
        return None
    labels = list(map_threaded(read_label_values, masks))
    declared = declared_in(root, labels)
    code = code_of(labels, lambda: _sample_labels(root, split, layout), declared)
    _warn_labels(root, split, labels, code)
    return code


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
    if not is_folder(root_of(path)):
        raise InputError(f"{path}: no such folder; {ways}")
    return path


def _checked_root(root: Where, layout: str) -> Path:
    if layout not in LAYOUT_NAMES:
        raise OptionError(f"layout {layout} is not known; choose {', '.join(LAYOUT_NAMES)}")
    return root_of(_need_folder(Path(root), "name the folder that holds train/, val/ or test/"))


def _splits(root: Path, layout: str) -> tuple[str, ...]:
    if layout in LAYOUTS:
        found: tuple[str, ...] = LAYOUTS[layout].splits(root)
    else:
        name = find_layout(root) if layout == AUTO else None
        found = () if name is None else LAYOUTS[name].splits(root)
    more = (split for split in SPLITS if split not in found and _is_there(root, split, layout))
    usual = {*found, *more}
    return (*(split for split in SPLITS if split in usual), *(s for s in found if s not in SPLITS))


def _is_there(root: Path, split: str, layout: str) -> bool:
    listed, inside = is_there(root, split, LIST_SUFFIX), is_there(root, split)
    if layout == LIST:
        return listed
    if inside or (layout == AUTO and listed):
        return True
    name = find_layout(root, split) if layout == AUTO else layout
    return name is not None and LAYOUTS[name].fits(root, split)


def _bands(bands: str | tuple[int, ...] | None) -> tuple[int, ...] | None:
    if bands is None:
        return None
    chosen = Bands.parse(bands) if isinstance(bands, str) else Bands(bands, bands)
    if len(chosen.before) != RGB or chosen.before != chosen.after:
        raise OptionError(
            "--bands: chips need three bands, the same for both dates; name three, such as 4,3,2"
        )
    return chosen.before


def _dtypes(chip: Record) -> tuple[np.dtype[Any], np.dtype[Any]]:
    return describe_any(chip.before).dtype, describe_any(chip.after).dtype


def _stretch(
    chips: Sequence[Record],
    bands: tuple[int, ...] | None,
    dtypes: tuple[np.dtype[Any], np.dtype[Any]],
) -> Radiometry:
    sample = _spread(chips, STRETCH_CHIPS)
    budget = STRETCH_PIXELS // len(sample)

    def thinned(
        picture: Picture, dtype: np.dtype[Any], window: Window | None
    ) -> np.ndarray[Any, Any]:
        pixels, valid = read_date(picture, bands, dtype, window)
        held = pixels[valid]
        return held[:: -(-len(held) // budget) or 1]

    before = list(map_threaded(lambda chip: thinned(chip.before, dtypes[0], chip.window), sample))
    after = list(map_threaded(lambda chip: thinned(chip.after, dtypes[1], chip.window), sample))
    dates = zip((before, after), dtypes, strict=True)
    return choose_radiometry(
        "auto", *(Sampled(np.concatenate(values), dtype) for values, dtype in dates)
    )


def _sample_labels(root: Path, split: str, layout: str) -> Iterator[LabelValues]:
    """Some labels of each other split. Splits that cannot be read are skipped.

    Errors of another split are reported when that split is opened.
    """
    for other in SPLITS:
        if other != split and _is_there(root, other, layout):
            with suppress(InputError):
                chips = _spread(records_of(root, other, layout), SAMPLED_LABELS)
                masks = [chip.label for chip in chips if isinstance(chip.label, Path)]
                yield from list(map_threaded(read_label_values, masks))


def _spread(chips: Sequence[Record], count: int) -> list[Record]:
    """At most `count` chips, evenly spread over the list."""
    numbers = np.linspace(0, len(chips) - 1, min(count, len(chips))).round().astype(int)
    return [chips[number] for number in numbers]
