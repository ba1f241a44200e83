"""Two folders of pictures and a COCO file for each split, as annotation tools export them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from geochange.dataset.chip_record import Record
from geochange.dataset.layouts.layout import (
    Found,
    fitting_splits,
    folder_of_split,
    short_list,
)
from geochange.dataset.layouts.picture_folders import has_folders, match_pictures
from geochange.dataset.split_names import NAMES, split_path
from geochange.dataset.truth.coco_labels import CocoLabels, read_coco
from geochange.errors import InputError
from geochange.files.archive_members import first_bytes
from geochange.files.archives import split as archive_member
from geochange.files.file_tree import files_in, is_folder, subfolder

DATES = (
    *(("A", "B"), ("time1", "time2"), ("t1", "t2"), ("im1", "im2"), ("Image1", "Image2")),
    *(("before", "after"), ("pre", "post")),
)
"""The names of the folders of both dates."""

ANNOTATIONS = "annotations"
"""A folder of COCO files in the root, called like the splits."""

_HEAD = re.compile(rb'^\s*\{\s*"(info|licenses|images|annotations|categories)"\s*:')
HEAD_BYTES = 4096


def is_coco(path: Path) -> bool:
    """Whether the beginning of a file is that of a COCO file."""
    if path.suffix.lower() != ".json":
        return False
    inside = archive_member(str(path))
    if inside is not None:
        return _HEAD.match(first_bytes(inside, HEAD_BYTES)) is not None
    try:
        with path.open("rb") as file:
            return _HEAD.match(file.read(HEAD_BYTES)) is not None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check it") from error


@dataclass(frozen=True)
class Coco:
    """Pictures of both dates share a name; the COCO file lists those of one date, or of both."""

    about: str = "A/ B/ and a COCO file (SPLIT/*.json, annotations/SPLIT.json)"
    labels: str = "objects of a COCO file; each is change, crowds are unknown"
    bands: tuple[int, ...] | None = None

    def splits(self, root: Path) -> tuple[str, ...]:
        """See Layout."""
        return fitting_splits(self, root)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        return _dates(root, split) is not None and bool(_coco_files(root, split))

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        place, dates, files = (
            folder_of_split(root, split),
            _dates(root, split),
            _coco_files(root, split),
        )
        if dates is None or not files:
            raise InputError(
                f"{place}: lacks two folders of pictures or a COCO file; add {self.about}"
            )
        if len(files) > 1:
            raise InputError(f"{files[0]}: and {files[1].name} may be meant; leave one COCO file")
        chips, ignored = match_pictures(root, split, dates, (files[0].parent.name,))
        listed = _names_by_stem(files[0], dates)
        records = [
            Record(before, after, CocoLabels(files[0], listed[before.stem]), called=before.stem)
            for before, after in chips
            if before.stem in listed
        ]
        absent = [before.stem for before, _ in chips if before.stem not in listed]
        lost = sorted(set(listed) - {before.stem for before, _ in chips})
        missing = (*short_list("labels of ", absent), *short_list("pictures of ", lost))
        if not records:
            raise InputError(f"{files[0]}: lists no picture of {place}; export it again")
        return Found(tuple(records), (*dates, files[0].name), ignored, missing)


def _dates(root: Path, split: str) -> tuple[str, str] | None:
    return next((dates for dates in DATES if has_folders(root, split, dates)), None)


def _coco_files(root: Path, split: str) -> list[Path]:
    """COCO files in the folder of a split, in its label/, or of its name in annotations/."""
    place = split_path(root, split)
    near = [place, subfolder(place, "label"), subfolder(place, ANNOTATIONS)]
    found = [
        path
        for folder in near
        if folder is not None and is_folder(folder)
        for path in files_in(folder)
        if is_coco(path)
    ]
    if found:
        return found
    names = next((names for names in NAMES.values() if split in names), (split,))
    shared = subfolder(root, ANNOTATIONS)
    wanted = {f"{prefix}{name}" for name in names for prefix in ("", "instances_")}
    return [
        path
        for path in (files_in(shared) if shared is not None else ())
        if path.stem.lower() in wanted and is_coco(path)
    ]


def _names_by_stem(file: Path, dates: tuple[str, str]) -> Mapping[str, tuple[str, ...]]:
    """The names under which a COCO file lists pictures of these dates, by name without suffix."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in read_coco(file).objects:
        path = PurePosixPath(name)
        if len(path.parts) == 1 or path.parts[-2] in dates:
            found[path.stem].append(name)
    return {stem: tuple(names) for stem, names in found.items()}
