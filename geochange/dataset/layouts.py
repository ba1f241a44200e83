"""Layouts: where data sets keep the pictures of both dates and the labels of their chips."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geochange.errors import InputError
from geochange.training.chip_source import SPLITS, Record


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders under that of a split; the three pictures of a chip share a name but for the suffix."""

    before: str
    after: str
    label: str

    @property
    def folders(self) -> tuple[str, str, str]:
        """All three, in the order of a record."""
        return self.before, self.after, self.label


LAYOUTS: Mapping[str, Layout] = {
    "sysu": Layout("time1", "time2", "label"),  # SYSU-CD, and what `data chips` cuts
    "levir": Layout("A", "B", "label"),  # LEVIR-CD, LEVIR-CD+
    "whu": Layout("A", "B", "label"),  # WHU-CD
    "cdd": Layout("A", "B", "OUT"),  # CDD
}
"""By the name of a data set that is kept so."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Of pictures, in any case; whatever else lies in a folder is passed over."""


def find_layout(root: Path) -> str | None:
    """The first of LAYOUTS whose three folders a split under `root` has, or None."""
    for split in SPLITS:
        for name, layout in LAYOUTS.items():
            if all((root / split / folder).is_dir() for folder in layout.folders):
                return name
    return None


def records(root: Path, layout: Layout, split: str) -> tuple[Record, ...]:
    """The chips of a split, in the order of their names.

    Raises InputError for a folder that is missing, two pictures of one name, and one without its
    twins.
    """
    folder = root / split
    if not folder.is_dir():
        there = ", ".join(name for name in SPLITS if (root / name).is_dir()) or "none"
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
    """Pictures by name without suffix."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the layout by --layout if it is another")
    found: dict[str, Path] = {}
    with os.scandir(folder) as entries:
        for path in sorted(Path(entry.path) for entry in entries if _is_picture(entry)):
            if path.stem in found:
                raise InputError(
                    f"{path}: has the name of {found[path.stem].name}; keep one of the two"
                )
            found[path.stem] = path
    return found


def _is_picture(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()
    return suffix in SUFFIXES and not entry.name.startswith(".") and entry.is_file()


def _need_all(name: str, folder: Path, layout: Layout, kinds: list[dict[str, Path]]) -> None:
    there = [kind[name] for kind in kinds if name in kind]
    for kind, place in zip(kinds, layout.folders, strict=True):
        if name not in kind:
            raise InputError(
                f"{there[0]}: has no twin in {folder / place}; add {name} there, or remove it"
            )
