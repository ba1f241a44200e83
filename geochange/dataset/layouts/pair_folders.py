"""Pairs of whole rasters in folders of their own: NAME/before.tif, NAME/after.tif and labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geochange.dataset.labelled_pairs import LABELS, find_pairs
from geochange.dataset.layouts.layout import Found, fitting_splits, short_list
from geochange.dataset.split_names import split_path
from geochange.files.file_tree import folders_in, is_file, is_folder


@dataclass(frozen=True)
class PairFolders:
    """See `geochange.dataset.labelled_pairs`."""

    about: str = "NAME/before.tif NAME/after.tif NAME/labels.*"
    labels: str = f"polygons or masks of change ({', '.join(LABELS)})"
    bands: tuple[int, ...] | None = None

    def splits(self, root: Path) -> tuple[str, ...]:
        """See Layout."""
        return fitting_splits(self, root)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        place = split_path(root, split)
        return is_folder(place) and any(
            is_file(folder / "before.tif") for folder in folders_in(place).values()
        )

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        place = split_path(root, split)
        pairs = find_pairs(place)
        names = {pair.name for pair in pairs}
        others = [f"{name}/" for name in folders_in(place) if name not in names]
        return Found((), ("before.tif", "after.tif", "labels"), short_list("", others), pairs=pairs)
