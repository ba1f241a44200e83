"""Layouts: the ways in which data sets keep their files, by name and by looking."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from geochange.dataset.layouts.coco import Coco
from geochange.dataset.layouts.dynamic_earth_net import DynamicEarthNet
from geochange.dataset.layouts.hrscd import Hrscd
from geochange.dataset.layouts.layout import Found, Layout
from geochange.dataset.layouts.oscd import Oscd
from geochange.dataset.layouts.pair_folders import PairFolders
from geochange.dataset.layouts.picture_folders import PICTURE_FOLDERS
from geochange.dataset.layouts.roboflow import Roboflow
from geochange.dataset.layouts.stac_labels import StacLabels
from geochange.dataset.layouts.xbd import Xbd
from geochange.dataset.layouts.yolo import Yolo
from geochange.errors import InputError

__all__ = ["LAYOUTS", "PAIRS", "Found", "Layout", "find_layout"]

PAIRS = "pairs"

LAYOUTS: Mapping[str, Layout] = {
    **PICTURE_FOLDERS,
    "oscd": Oscd(),
    "hrscd": Hrscd(),
    "dynamicearthnet": DynamicEarthNet(),
    "xbd": Xbd(),
    "xview2": Xbd(),
    "coco": Coco(),
    "roboflow": Roboflow(),
    "yolo": Yolo(),
    "stac": StacLabels(),
    PAIRS: PairFolders(),
}
"""Each layout under the names of data sets that use it. The first of equal ones is found by looking."""


def distinct_layouts() -> dict[str, Layout]:
    """The layouts without other names of the same one."""
    found: dict[str, Layout] = {}
    for name, layout in LAYOUTS.items():
        if layout not in found.values():
            found[name] = layout
    return found


def find_layout(root: Path, split: str | None = None) -> str | None:
    """The layout of a split, or of all splits of a data set. None if none fits.

    A split that fits no layout itself has that of the other splits. Raises InputError if several fit.
    """
    layouts = distinct_layouts().items()
    own = {n: each for n, each in layouts if split is not None and each.fits(root, split)}
    fitting = own or {name: each for name, each in layouts if each.splits(root)}
    if len(fitting) > 1:
        told = " and ".join(f"{each.about} ({name})" for name, each in fitting.items())
        raise InputError(f"{root}: holds {told}; say which it is: --layout={next(iter(fitting))}")
    return next(iter(fitting), None)
