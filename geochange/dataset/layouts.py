"""Layouts: the folders in which data sets keep the pictures of both dates and the labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geochange.dataset.split_names import split_path, warn_once
from geochange.errors import InputError
from geochange.files.archives import list_names
from geochange.raster.pictures.image import SUFFIXES
from geochange.training.data.chip_source import SPLITS, Record


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders below that of a split. The three pictures of a chip have the same name without suffix."""

    before: str
    after: str
    label: str

    @property
    def folders(self) -> tuple[str, str, str]:
        """The three folders, in the order of a Record."""
        return self.before, self.after, self.label


LAYOUTS: Mapping[str, Layout] = {
    "sysu": Layout("time1", "time2", "label"),  # SYSU-CD, and what `data chips` cuts
    "levir": Layout("A", "B", "label"),  # LEVIR-CD, LEVIR-CD+
    "whu": Layout("A", "B", "label"),  # WHU-CD
    "cdd": Layout("A", "B", "OUT"),  # CDD
}
"""Each layout under the name of a data set that uses it."""

UNSUPPORTED_SUFFIXES = (
    *(
        ".gif",
        ".jp2",
        ".j2k",
        ".img",
        ".vrt",
        ".npy",
        ".npz",
        ".mat",
        ".h5",
        ".hdf5",
        ".tga",
        ".pcx",
    ),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".avif", ".jxl", ".svg", ".psd", ".exr"),
)
"""Suffixes of picture formats that are not supported for chips."""

IGNORED_SUFFIXES = (
    *(".xml", ".ovr", ".msk", ".tfw", ".tifw", ".pgw", ".pngw", ".jgw", ".jpgw", ".bpw", ".wld"),
    *(".prj", ".txt", ".md", ".json", ".csv", ".db", ".ini", ".log"),
)
"""Suffixes of files that often lie beside pictures and are not pictures."""


def find_layout(root: Path) -> str | None:
    """The first of LAYOUTS whose three folders exist in a split below `root`, or None."""
    for split in SPLITS:
        for name, layout in LAYOUTS.items():
            if all((split_path(root, split) / folder).is_dir() for folder in layout.folders):
                return name
    return None


def records(root: Path, layout: Layout, split: str) -> tuple[Record, ...]:
    """The chips of a split, sorted by name.

    Raises InputError for a missing folder, two pictures with the same name, a picture that is missing
    at a date or in the labels, and a picture format that is not supported. Files with a suffix of
    IGNORED_SUFFIXES are ignored; other files are logged as a warning.
    """
    folder = split_path(root, split)
    if not folder.is_dir():
        there = ", ".join(name for name in SPLITS if split_path(root, name).is_dir()) or "none"
        raise InputError(f"{folder}: no such folder; the splits that are there: {there}")
    kinds = [_pictures(folder / name) for name in layout.folders]
    names = sorted(set().union(*kinds))
    if not names:
        raise InputError(
            f"{folder}: holds no chips; put pictures ({', '.join(SUFFIXES)}) into "
            f"{', '.join(layout.folders)}"
        )
    for name in names:
        _need_all(name, folder, layout, kinds)
    return tuple(Record(*(kind[name] for kind in kinds)) for name in names)


def _pictures(folder: Path) -> dict[str, Path]:
    """Pictures by their name without suffix."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the layout by --layout if it is another")
    found: dict[str, Path] = {}
    others: list[str] = []
    for path in _files_in(folder):
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
    return found


def _files_in(folder: Path) -> list[Path]:
    """The files of a folder, sorted by name, without hidden ones."""
    with os.scandir(folder) as entries:
        paths = [entry.path for entry in entries if entry.name[0] != "." and entry.is_file()]
    return sorted(map(Path, paths))


def _need_all(name: str, folder: Path, layout: Layout, kinds: list[dict[str, Path]]) -> None:
    there = [kind[name] for kind in kinds if name in kind]
    for kind, place in zip(kinds, layout.folders, strict=True):
        if name not in kind:
            raise InputError(
                f"{there[0]}: has no counterpart in {folder / place}; add {name} there, or remove it"
            )
