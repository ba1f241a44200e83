"""Layouts with a folder for each kind of picture below that of a split; files of a chip share a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from geochange.dataset.chip_record import Record, Truth
from geochange.dataset.layouts.layout import (
    Found,
    Layout,
    fitting_splits,
    folder_of_split,
    other_folders,
    pictures_in,
    short_list,
)
from geochange.dataset.split_names import split_path
from geochange.dataset.truth.class_labels import ClassLabels, Legend
from geochange.dataset.truth.class_list_file import declared_changes, declared_legend
from geochange.dataset.truth.from_to_labels import FromToLabels
from geochange.errors import InputError
from geochange.files.file_tree import subfolder
from geochange.raster.pictures.image import SUFFIXES

SECOND = Legend(
    names=(*("no change", "water", "ground", "low vegetation", "tree", "building", "playground"),),
    colours=(0xFFFFFF, 0x0000FF, 0x808080, 0x008000, 0x00FF00, 0x800000, 0xFF0000),
    unchanged="no change",
)
"""The colours of SECOND (Yang et al. 2021). Numbers from 0 to 6 in this order are read, too."""


def has_folders(root: Path, split: str, folders: tuple[str, ...]) -> bool:
    """Whether a split has all of some folders."""
    place = split_path(root, split)
    return all(subfolder(place, folder) is not None for folder in folders)


def match_pictures(
    root: Path, split: str, folders: tuple[str, ...], used: tuple[str, ...] = ()
) -> tuple[list[tuple[Path, ...]], tuple[str, ...]]:
    """The pictures of each name in all of some folders, sorted by name, and what is ignored.

    used: other folders of the split that are read.

    Raises InputError for a missing folder, two pictures with the same name, a picture that is missing
    in a folder, and a picture format that is not supported. Files with a suffix of IGNORED_SUFFIXES
    are ignored; other files are logged as a warning.
    """
    place = folder_of_split(root, split)
    read = [pictures_in(subfolder(place, name), place / name) for name in folders]
    kinds = [found for found, _ in read]
    names = sorted(set().union(*kinds))
    if not names:
        raise InputError(
            f"{place}: holds no chips; put pictures ({', '.join(SUFFIXES)}) into "
            f"{', '.join(folders)}"
        )
    for name in names:
        _need_all(name, place, folders, kinds)
    others = [name for _, held in read for name in held]
    ignored = (*short_list("", other_folders(place, (*folders, *used))), *short_list("", others))
    return [tuple(kind[name] for kind in kinds) for name in names], ignored


def _need_all(
    name: str, place: Path, folders: tuple[str, ...], kinds: list[dict[str, Path]]
) -> None:
    there = [kind[name] for kind in kinds if name in kind]
    for kind, folder in zip(kinds, folders, strict=True):
        if name not in kind:
            raise InputError(
                f"{there[0]}: has no counterpart in {place / folder}; add {name} there, or remove it"
            )


@dataclass(frozen=True, slots=True)
class PictureFolders:
    """Two dates and a mask of change, or with a legend an image of classes for each date.

    A file classes.yaml in the root replaces the legend, or makes labels of changes of the masks.

    folders: of the date before, of the date after, and of the labels.
    """

    folders: tuple[str, ...]
    legend: Legend | None = None
    labels: str = "masks of change"
    bands: tuple[int, ...] | None = None

    @property
    def about(self) -> str:
        """See Layout."""
        return f"{'/ '.join(self.folders)}/"

    def splits(self, root: Path) -> tuple[str, ...]:
        """See Layout."""
        return fitting_splits(self, root)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        return has_folders(root, split, self.folders)

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        chips, ignored = match_pictures(root, split, self.folders)
        truth = self._truths(root)
        records = (Record(before, after, truth(*told)) for before, after, *told in chips)
        return Found(tuple(records), self.folders, ignored)

    def _truths(self, root: Path) -> Callable[..., Path | Truth]:
        """From the label files of a chip to its truth, as the data set declares their values."""
        if self.legend is not None:
            legend = declared_legend(root, self.legend)
            return lambda before, after: ClassLabels(before, after, legend)
        table = declared_changes(root)
        return (lambda mask: mask) if table is None else lambda label: FromToLabels(label, table)


PICTURE_FOLDERS: Mapping[str, Layout] = {
    "sysu": PictureFolders(("time1", "time2", "label")),  # SYSU-CD, and what `data chips` cuts
    "clcd": PictureFolders(("time1", "time2", "label")),  # CLCD
    "levir": PictureFolders(("A", "B", "label")),  # LEVIR-CD, LEVIR-CD+
    "whu": PictureFolders(("A", "B", "label")),  # WHU-CD
    "cdd": PictureFolders(("A", "B", "OUT")),  # CDD
    "dsifn": PictureFolders(("t1", "t2", "mask")),  # DSIFN-CD
    "s2looking": PictureFolders(("Image1", "Image2", "label")),  # S2Looking
    "second": PictureFolders(
        ("im1", "im2", "label1", "label2"),
        SECOND,
        "classes of both dates; all that is not white is change",
    ),
}
"""Each layout under the name of a data set that uses it."""
