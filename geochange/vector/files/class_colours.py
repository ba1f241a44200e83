"""The colours of classes in the record of a run, for those who write and read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from geochange.land_cover import is_colour

CLASS_COLOURS: Final = "class_colours"
"""The name in the record. The value is an object of JSON: "#rrggbb" by class."""


def class_colours(record: Mapping[str, str]) -> dict[str, str]:
    """The colours in a record; empty where it has none."""
    try:
        told = json.loads(record.get(CLASS_COLOURS, "{}"))
    except ValueError:
        return {}
    if not isinstance(told, dict):
        return {}
    return {str(name): colour for name, colour in told.items() if is_colour(colour)}
