"""Layout: the protocol of the ways in which data sets keep their files, and what several share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geochange.dataset.chip_record import Record
from geochange.dataset.labelled_pairs import LabelledPair
from geochange.dataset.split_names import split_path, warn_once
from geochange.errors import InputError
from geochange.files.archives import list_names
from geochange.files.file_tree import files_in, folders_in, is_folder
from geochange.raster.pictures.image import SUFFIXES
from geochange.training.data.chip_source import SPLITS

UNSUPPORTED_SUFFIXES = (
    *(".gif", ".jp2", ".j2k", ".img", ".vrt", ".npy", ".npz", ".mat", ".h5", ".hdf5", ".tga"),
    *(".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".avif", ".jxl", ".svg", ".psd"),
    ".exr",
)
"""Suffixes of picture formats that are not supported for chips."""

IGNORED_SUFFIXES = (
    *(".xml", ".ovr", ".msk", ".tfw", ".tifw", ".pgw", ".pngw", ".jgw", ".jpgw", ".bpw", ".wld"),
    *(".prj", ".txt", ".md", ".json", ".csv", ".db", ".ini", ".log"),
)
"""Suffixes of files that often lie beside pictures and are not pictures."""

MOST_NAMED = 4
"""The number of names in a line of what is ignored or missing."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a layout takes from a split.

    records: the chips, sorted by name. folders: that are read. ignored: what lies there and is not
    read. missing: what the data set could have and has not. pairs: whole rasters instead of chips.
    """

    records: tuple[Record, ...]
    folders: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    pairs: tuple[LabelledPair, ...] = ()


class Layout(Protocol):
    """A way in which data sets keep their files.

    Errors of its methods are InputError. They name a file or a folder.
    """

    @property
    def about(self) -> str:
        """The folders and files that it is recognised by."""
        ...

    @property
    def labels(self) -> str:
        """What its labels are, and what change is."""
        ...

    @property
    def bands(self) -> tuple[int, ...] | None:
        """Red, green and blue by 1-based number. None if they are the first three."""
        ...

    def splits(self, root: Path) -> tuple[str, ...]:
        """The splits that are there in this layout. None if the data set has another layout."""
        ...

    def fits(self, root: Path, split: str) -> bool:
        """Whether a split of any name is there in this layout."""
        ...

    def find(self, root: Path, split: str) -> Found:
        """The chips of a split."""
        ...


def fitting_splits(layout: Layout, root: Path) -> tuple[str, ...]:
    """Those of train, val and test that fit a layout."""
    return tuple(split for split in SPLITS if layout.fits(root, split))


def folder_of_split(root: Path, split: str) -> Path:
    """The folder of a split. Raises InputError if there is none."""
    folder = split_path(root, split)
    if not is_folder(folder):
        there = ", ".join(name for name in SPLITS if is_folder(split_path(root, name))) or "none"
        raise InputError(f"{folder}: no such folder; the splits that are there: {there}")
    return folder


def pictures_in(folder: Path | None, called: Path) -> tuple[dict[str, Path], list[str]]:
    """Pictures of a folder by their name without suffix, and the names of files that are ignored.

    called: the path under which a missing folder is named. Raises InputError for two pictures of one
    name, and for a picture format that is not supported.
    """
    if folder is None:
        raise InputError(f"{called}: no such folder; name the layout by --layout if it is another")
    found: dict[str, Path] = {}
    others: list[str] = []
    for path in files_in(folder):
        suffix = path.suffix.lower()
        if suffix in SUFFIXES:
            if path.stem in found:
                raise InputError(
                    f"{path}: has the same name as {found[path.stem].name}; keep one of the two"
                )
            found[path.stem] = path
        elif suffix in UNSUPPORTED_SUFFIXES:
            raise InputError(
                f"{path}: chips are not read from {suffix}; save them as {', '.join(SUFFIXES)}, or "
                "take it away"
            )
        elif suffix not in IGNORED_SUFFIXES:
            others.append(path.name)
    if others:
        warn_once(f"{folder}: ignores files that are not pictures: {list_names(others)}")
    return found, others


def other_folders(folder: Path, used: Sequence[str]) -> list[str]:
    """The folders in a folder that are not used, as NAME/."""
    return [f"{name}/" for name in folders_in(folder) if name not in used]


def short_list(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """One line that names what is there, in short. None for no names."""
    listed = list(names)
    more = f" and {len(listed) - MOST_NAMED:,} more" if len(listed) > MOST_NAMED else ""
    return (f"{what}{', '.join(listed[:MOST_NAMED])}{more}",) if listed else ()
