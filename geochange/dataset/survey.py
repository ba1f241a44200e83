"""Survey: opens each chip of a data set once, counts its pixels and finds duplicates in splits."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNKNOWN, Chip
from geochange.dataset.chip_files import FileChips
from geochange.dataset.labelled_pairs import PairChips
from geochange.dataset.layouts import LAYOUTS, Found
from geochange.dataset.layouts.coco import ANNOTATIONS
from geochange.dataset.layouts.find_split import AUTO, Where, found_in, layout_of, splits_of
from geochange.dataset.leaks import Leak, same_files, same_pixels
from geochange.dataset.open_split import map_threaded, open_split
from geochange.dataset.split_names import root_of, split_path
from geochange.dataset.truth.classified_chips import classified
from geochange.errors import InputError
from geochange.files.file_tree import folders_in, is_folder
from geochange.progress import Progress, no_progress
from geochange.training.data.chip_source import SPLITS, ChipSource

STAGE = "check"

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class SplitSurvey:
    """The counts of a split.

    sizes: number of chips by "HEIGHT x WIDTH". dtypes: of the files.
    label_values: values in the files of labels; for labelled pairs, values in the chips.
    change: the value that means change. known_px: pixels with a label and with data at both dates.
    changed_px: known pixels that changed. without_change: number of chips without a changed pixel.
    folders: that are read. bands: red, green and blue by number; None for the first three.
    about_labels: what the labels are. classes: that they tell apart, if any. ignored, missing: lines
    about the files of the split.
    """

    chips: int
    sizes: Mapping[str, int]
    dtypes: tuple[str, ...]
    label_values: tuple[int, ...]
    change: int
    known_px: int
    changed_px: int
    unknown_px: int
    without_change: int
    folders: tuple[str, ...] = ()
    bands: tuple[int, ...] | None = None
    about_labels: str = ""
    classes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def change_share(self) -> float:
        """Changed pixels divided by known pixels; 0 without known pixels."""
        return self.changed_px / self.known_px if self.known_px else 0.0


@dataclass(frozen=True, slots=True)
class Survey:
    """The counts of each split of a data set, and the chips that occur twice.

    missing: usual splits that are not there. ignored: folders of the root that are no split.
    """

    root: str
    layouts: Mapping[str, str]
    splits: Mapping[str, SplitSurvey]
    leaks: tuple[Leak, ...]
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Values for JSON, with shares beside the counts."""
        values = asdict(self)
        for name, split in self.splits.items():
            values["splits"][name]["change_share"] = split.change_share
        return values


@dataclass(frozen=True, slots=True)
class _ChipSummary:
    """What is kept of a chip after it was read. prints: hashes of its pictures, without plain ones."""

    shape: tuple[int, int]
    values: tuple[int, ...]
    known_px: int
    changed_px: int
    prints: tuple[bytes, ...]


def check_split(source: ChipSource, split: str, progress: Progress = no_progress) -> str:
    """Open every chip once, as training does. Returns a hash of all names and pixels of the split.

    Raises InputError for a chip that cannot be used, which names the file, and for a split without
    change.
    """
    told, changed_px = hashlib.blake2b(digest_size=DIGEST_BYTES), 0

    def look(number: int) -> tuple[bytes, int]:
        return _chip_hash(source.name(number), source[number])

    for done, (found, changed) in enumerate(map_threaded(look, range(len(source))), 1):
        told.update(found)
        changed_px += changed
        progress(STAGE, done, len(source))
    if not changed_px:
        raise InputError(
            f"{split}: none of its {len(source):,} chips holds a pixel of change; check the labels "
            "(geochange data check), or name another split"
        )
    return told.hexdigest()


def _chip_hash(name: str, chip: Chip) -> tuple[bytes, int]:
    """A hash of the name, the pixels and the label of a chip, and its number of changed pixels."""
    label = _label(chip)
    told = hashlib.blake2b(f"{name} {chip.shape}".encode(), digest_size=DIGEST_BYTES)
    land = () if chip.land is None else (chip.land,)
    for pixels in (chip.before, chip.after, label, *land):
        told.update(np.ascontiguousarray(pixels).data)
    return told.digest(), int((label == CHANGED).sum())


def survey(
    root: Where,
    *,
    layout: str = AUTO,
    bands: str | tuple[int, ...] | None = None,
    progress: Progress = no_progress,
) -> Survey:
    """Open every chip of every split. Raises InputError, which names the file, and OptionError."""
    splits = splits_of(root, layout)
    sources = {split: open_split(root, split, layout=layout, bands=bands) for split in splits}
    total, done = sum(map(len, sources.values())), 0
    seen: dict[str, list[_ChipSummary]] = {split: [] for split in splits}
    for split, source in sources.items():
        for chip in _summarise_all(source):
            seen[split].append(chip)
            done += 1
            progress(STAGE, done, total)
    prints = {split: [chip.prints for chip in chips] for split, chips in seen.items()}
    layouts = {split: layout_of(root, split, layout) for split in splits}
    counted = {split: _sum_up(sources[split], seen[split]) for split in splits}
    return Survey(
        root=os.fspath(root),
        layouts=layouts,
        splits={
            s: _with_files(counted[s], found_in(root, s, layouts[s]), layouts[s]) for s in splits
        },
        leaks=(*same_pixels(sources, prints), *same_files(sources)),
        missing=tuple(split for split in SPLITS if split not in splits),
        ignored=_unused_folders(root_of(Path(root)), splits),
    )


def _unused_folders(root: Path, splits: Sequence[str]) -> tuple[str, ...]:
    """The folders of a root that are no split, if its splits are folders."""
    used = [split_path(root, split) for split in splits]
    if not all(map(is_folder, used)):
        return ()
    there = folders_in(root).items()
    return tuple(f"{name}/" for name, path in there if path not in used and name != ANNOTATIONS)


def _summarise_all(source: ChipSource) -> Iterator[_ChipSummary]:
    return map_threaded(lambda number: _summarise(source[number]), range(len(source)))


def _summarise(chip: Chip) -> _ChipSummary:
    label = _label(chip)
    counts = np.bincount(label.ravel(), minlength=UNKNOWN + 1)
    prints = (_picture_hash(chip.before), _picture_hash(chip.after))
    return _ChipSummary(
        shape=chip.shape,
        values=tuple(np.flatnonzero(counts).tolist()),
        known_px=int(label.size - counts[UNKNOWN]),
        changed_px=int(counts[CHANGED]),
        prints=tuple(dict.fromkeys(found for found in prints if found is not None)),
    )


def _label(chip: Chip) -> NDArray[np.uint8]:
    """The label of a chip. A chip without a label counts as unchanged."""
    return np.zeros(chip.shape, np.uint8) if chip.label is None else chip.label


def _picture_hash(pixels: NDArray[Any]) -> bytes | None:
    """A hash of a picture. None for a picture of one colour, because many pictures share it."""
    if (pixels == pixels[:1, :1]).all():
        return None
    told = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=DIGEST_BYTES)
    told.update(np.ascontiguousarray(pixels).data)
    return told.digest()


def _sum_up(source: ChipSource, seen: Sequence[_ChipSummary]) -> SplitSurvey:
    pixels = sum(chip.shape[0] * chip.shape[1] for chip in seen)
    known = sum(chip.known_px for chip in seen)
    sizes = Counter(f"{height} x {width}" for height, width in (chip.shape for chip in seen))
    told = classified(source)
    values, change = sorted({value for chip in seen for value in chip.values}), CHANGED
    if isinstance(source, FileChips) and source.code is not None:
        values, change = list(source.code.values), source.code.change
    return SplitSurvey(
        chips=len(seen),
        sizes=dict(sizes.most_common()),
        dtypes=_dtypes(source),
        bands=source.bands if isinstance(source, FileChips | PairChips) else None,
        classes=() if told is None else told.table.names,
        label_values=tuple(values),
        change=change,
        known_px=known,
        changed_px=sum(chip.changed_px for chip in seen),
        unknown_px=pixels - known,
        without_change=sum(chip.changed_px == 0 for chip in seen),
    )


def _with_files(counted: SplitSurvey, found: Found, layout: str) -> SplitSurvey:
    """The counts with what the layout takes and leaves out."""
    kind = LAYOUTS.get(layout)
    return replace(
        counted,
        folders=found.folders,
        about_labels="" if kind is None else kind.labels,
        ignored=found.ignored,
        missing=found.missing,
    )


def _dtypes(source: ChipSource) -> tuple[str, ...]:
    """The dtypes of the files. A source without files has the dtype of its chips."""
    found: list[np.dtype[Any]] = [np.dtype(np.uint8)]
    if isinstance(source, FileChips):
        found = list(source.dtypes)
    elif isinstance(source, PairChips):
        pairs = [scene.pair for scene in source.scenes]
        found = [date.dtype for pair in pairs for date in (pair.before, pair.after)]
    return tuple(dict.fromkeys(map(str, found)))
