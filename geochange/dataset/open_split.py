"""Opens the chips of a split of a data set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from geochange.dataset.chip_files import FileChips, read_date
from geochange.dataset.chip_record import Record
from geochange.dataset.label_values import (
    LabelCode,
    LabelValues,
    code_of,
    declared_in,
    label_warnings,
    read_label_values,
)
from geochange.dataset.labelled_pairs import FLOAT_DECIBELS, RAW, PairChips
from geochange.dataset.layouts import LAYOUTS
from geochange.dataset.layouts.find_split import (
    AUTO,
    Where,
    found_in,
    is_split_there,
    layout_of,
    records_of,
)
from geochange.dataset.split_names import root_of, warn_once
from geochange.errors import InputError, OptionError
from geochange.grid.tiling import Window
from geochange.raster.bands import Bands
from geochange.raster.pictures.band_files import Picture, describe_any, path_of
from geochange.raster.pictures.image import RGB
from geochange.raster.scene.decibels import Decibels, refuse_8bit
from geochange.raster.scene.radiometry import (
    UNCHANGED,
    Radiometry,
    Sampled,
    StretchMode,
    choose_radiometry,
)
from geochange.training.data.chip_source import SPLITS, ChipSource

logger = logging.getLogger(__name__)

EIGHT_BIT, DECIBELS = "8-bit", "db"
PIXELS = {EIGHT_BIT: "auto", "raw": RAW, DECIBELS: FLOAT_DECIBELS}
"""What pixels of chips may be, and the stretch of a labelled pair that makes them."""

STRETCH_CHIPS = 256
"""The number of chips, spread evenly over the split, from which a stretch is chosen."""

STRETCH_PIXELS = 4 * 1024**2
"""The number of pixels of each date from which a stretch is chosen."""

SAMPLED_LABELS = 500
"""The number of labels of each other split that are read to decide what 255 means."""

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


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
    place, kind = root_of(Path(root)), layout_of(root, split, layout)
    own = LAYOUTS[kind].bands if kind in LAYOUTS and pixels == EIGHT_BIT else None
    chosen = own if bands is None else _bands(bands, pixels)
    found = found_in(root, split, kind)
    for line in found.missing:
        warn_once(f"{place}, {split}: misses {line}; those are left out")
    if found.pairs:
        return PairChips(found.pairs, chosen, stretch=PIXELS[pixels])
    chips = found.records
    if pixels != EIGHT_BIT:
        chosen = chosen or describe_any(chips[0].before).bands
    dtypes = _dtypes(chips[0])
    radiometry = UNCHANGED
    if pixels == DECIBELS or (pixels == EIGHT_BIT and any(dtype != np.uint8 for dtype in dtypes)):
        base = (
            records_of(root, SPLITS[0], kind) if is_split_there(place, SPLITS[0], kind) else chips
        )
        dtypes = _dtypes(base[0])
        mode = Decibels(as_float=True) if pixels == DECIBELS else "auto"
        for picture, dtype in zip((base[0].before, base[0].after), dtypes, strict=True):
            refuse_8bit(str(path_of(picture)), dtype, mode)
        radiometry = _stretch(base, chosen, dtypes, mode)
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
    return describe_any(chip.before).dtype, describe_any(chip.after).dtype


def _stretch(
    chips: Sequence[Record],
    bands: tuple[int, ...] | None,
    dtypes: tuple[np.dtype[Any], np.dtype[Any]],
    mode: StretchMode,
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
        mode, *(Sampled(np.concatenate(values), dtype) for values, dtype in dates)
    )


def _sample_labels(root: Path, split: str, layout: str) -> Iterator[LabelValues]:
    """Some labels of each other split. Splits that cannot be read are skipped.

    Errors of another split are reported when that split is opened.
    """
    for other in SPLITS:
        if other != split and is_split_there(root, other, layout):
            with suppress(InputError):
                chips = _spread(records_of(root, other, layout), SAMPLED_LABELS)
                masks = [chip.label for chip in chips if isinstance(chip.label, Path)]
                yield from list(map_threaded(read_label_values, masks))


def _spread(chips: Sequence[Record], count: int) -> list[Record]:
    """At most `count` chips, evenly spread over the list."""
    numbers = np.linspace(0, len(chips) - 1, min(count, len(chips))).round().astype(int)
    return [chips[number] for number in numbers]
