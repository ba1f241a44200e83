"""CocoLabels: objects of a COCO file (Lin et al. 2014) as change: polygons or run lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNCHANGED, UNKNOWN
from geochange.dataset.truth.json_shapes import draw, polygon_of_ring, read_json
from geochange.dataset.truth.run_lengths import mask_of_runs
from geochange.errors import InputError
from geochange.files.file_tree import version_of
from geochange.grid.tiling import Window

LARGEST_BYTES = 512 * 1024**2


@dataclass(frozen=True)
class CocoFile:
    """The content of a COCO file.

    objects: for each picture, by the name that the file gives it: its segmentations, and whether each
    is a crowd, which is unknown. classes: names of the categories of its objects, sorted.
    """

    objects: Mapping[str, tuple[tuple[Any, bool], ...]]
    classes: tuple[str, ...]


def read_coco(path: Path) -> CocoFile:
    """The content of a COCO file, from the cache of this process if it has not changed.

    Raises InputError for a file that is damaged, or names pictures outside of its folder.
    """
    return _read(path, version_of(path))


@lru_cache(maxsize=8)
def _read(path: Path, version: int) -> CocoFile:
    """version: the time of the last modification."""
    told = read_json(path, LARGEST_BYTES, "a COCO file")
    pictures, annotations, categories = (
        _listed(path, told, key) for key in ("images", "annotations", "categories")
    )
    names = {_number(path, each, "id"): _picture_name(path, each) for each in pictures}
    kinds = {_number(path, each, "id"): str(each.get("name", "?"))[:80] for each in categories}
    if len(set(names.values())) != len(pictures):
        raise InputError(f"{path}: lists a picture or an id twice; export it again")
    objects: dict[str, list[tuple[Any, bool]]] = {name: [] for name in names.values()}
    used = set()
    for each in annotations:
        name = names.get(_number(path, each, "image_id"))
        if name is None:
            raise InputError(f"{path}: an annotation names no picture of the list; export it again")
        segmentation = each.get("segmentation")
        if not isinstance(segmentation, list | dict) or not segmentation:
            raise InputError(
                f"{path}: an object of {name} has a box and no segmentation; export polygons"
            )
        objects[name].append((segmentation, bool(each.get("iscrowd"))))
        used.add(kinds.get(_number(path, each, "category_id"), "?"))
    return CocoFile({name: tuple(held) for name, held in objects.items()}, tuple(sorted(used)))


def _listed(path: Path, told: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = told.get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InputError(f"{path}: has no list of {key}, so it is no COCO file; export it again")
    return found


def _number(path: Path, each: Mapping[str, Any], key: str) -> int:
    found = each.get(key)
    if not isinstance(found, int):
        raise InputError(f"{path}: an entry has no number as {key}; export it again")
    return found


def _picture_name(path: Path, picture: Mapping[str, Any]) -> str:
    """The name of a picture: a relative path. Raises InputError for one that leads elsewhere."""
    name = picture.get("file_name")
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    if not parts or parts[0] == "/" or ".." in parts or "\\" in str(name) or "\0" in str(name):
        raise InputError(
            f"{path}: names the picture {str(name)[:80]!r}; a picture lies in the folder of its split"
        )
    return "/".join(parts)


@dataclass(frozen=True, slots=True)
class CocoLabels:
    """The objects of a COCO file on the pictures of one pair. Each of them is change.

    names: of those pictures that the file lists, of one date or of both.
    """

    path: Path
    names: tuple[str, ...]

    def change(self, shape: tuple[int, int], window: Window | None) -> NDArray[np.uint8]:
        """1 in objects, 255 in crowds (`iscrowd`), else 0."""
        file = read_coco(self.path)
        size = shape if window is None else (window.height, window.width)
        label = np.full(size, UNCHANGED, np.uint8)
        held = [each for name in self.names for each in file.objects[name]]
        for crowd, value in ((True, UNKNOWN), (False, CHANGED)):
            label[self._drawn([s for s, c in held if c == crowd], shape, window)] = value
        return label

    def _drawn(
        self, segmentations: Sequence[Any], shape: tuple[int, int], window: Window | None
    ) -> NDArray[np.bool_]:
        """(height, width), where one of several segmentations is."""
        rings = [
            polygon_of_ring(self.path, ring)
            for segmentation in segmentations
            if isinstance(segmentation, list)
            for ring in segmentation
        ]
        shapes = np.concatenate(rings) if rings else np.empty(0, np.object_)
        drawn = np.asarray(draw(shapes, shape, window), np.bool_)
        part = (window or Window(0, 0, *shape)).within(Window(0, 0, *shape))
        for segmentation in segmentations:
            if isinstance(segmentation, dict):
                drawn |= mask_of_runs(self.path, segmentation, shape)[part]
        return drawn

    def classes(self, shape: tuple[int, int], window: Window | None) -> None:
        """Objects of change say no classes of both dates."""
        return None
