"""DamageLabels: buildings and their damage, as polygons in JSON (xBD, Gupta et al. 2019).

`features.xy` holds a WKT polygon in pixels and its properties for each building. Change is a damage
other than none. Buildings that were not classified are unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import UNKNOWN
from geochange.dataset.truth.dated_classes import DatedClasses
from geochange.dataset.truth.json_shapes import draw, polygons_of_wkt, read_json
from geochange.errors import InputError
from geochange.grid.tiling import Window

NAMES = ("no building", "no damage", "minor damage", "major damage", "destroyed")

NO_BUILDING, BUILDING = 0, 1

DAMAGES: Mapping[str, int] = {
    "un-classified": UNKNOWN,
    "no-damage": 1,
    "minor-damage": 2,
    "major-damage": 3,
    "destroyed": 4,
}
"""The subtypes, in the order in which they are drawn: a worse damage hides a slighter one."""

LARGEST_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class DamageLabels:
    """The buildings of the date after. path: the JSON file."""

    path: Path

    def classes(self, shape: tuple[int, int], window: Window | None) -> DatedClasses:
        """No building or a building before, and its damage after."""
        buildings = _buildings(self.path)
        size = shape if window is None else (window.height, window.width)
        before, after = (np.full(size, NO_BUILDING, np.uint8) for _ in range(2))
        for subtype, number in DAMAGES.items():
            texts = buildings.get(subtype)
            if texts:
                where = draw(polygons_of_wkt(self.path, texts), shape, window)
                before[where], after[where] = BUILDING, number
        return DatedClasses(before, after, NAMES)

    def change(self, shape: tuple[int, int], window: Window | None) -> NDArray[np.uint8]:
        """1 for damage, 0 for none and for ground, 255 for buildings that were not classified."""
        return self.classes(shape, window).change()


def _buildings(path: Path) -> dict[str, list[str]]:
    """The WKT of the buildings by subtype. Raises InputError."""
    told = read_json(path, LARGEST_BYTES, "a label file of xBD")
    features = told.get("features")
    listed = features.get("xy") if isinstance(features, dict) else None
    if not isinstance(listed, list):
        raise InputError(f"{path}: has no features.xy, so it is no label of xBD; fetch it again")
    found: dict[str, list[str]] = {}
    for building in listed:
        text, subtype = _text_and_subtype(path, building)
        found.setdefault(subtype, []).append(text)
    return found


def _text_and_subtype(path: Path, building: Any) -> tuple[str, str]:
    text = building.get("wkt") if isinstance(building, dict) else None
    properties = building.get("properties") if isinstance(building, dict) else None
    if not isinstance(text, str) or not isinstance(properties, dict):
        raise InputError(f"{path}: a building has no wkt or no properties; fetch it again")
    subtype = properties.get("subtype", "un-classified")
    if not isinstance(subtype, str) or subtype not in DAMAGES:
        raise InputError(
            f"{path}: holds the damage {str(subtype)[:40]!r}; known are {', '.join(DAMAGES)}"
        )
    return text, subtype
