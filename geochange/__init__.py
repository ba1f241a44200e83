"""geochange: two georeferenced pictures of the same ground in, polygons of what changed out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geochange.cli.main import run_command
    from geochange.cli.screen import closing_table, screen
    from geochange.comparison import compare
    from geochange.config.files import parse_setting
    from geochange.cutting import cut
    from geochange.detection import Result, detect
    from geochange.errors import GeochangeError
    from geochange.evaluation import evaluate
    from geochange.geo.scenes import bounds_of, date_of
    from geochange.geo.timeline import Span, write_timeline
    from geochange.geo.vector import read_changes
    from geochange.learning import train
    from geochange.models.detector import load_model
    from geochange.polygonizing import polygonize
    from geochange.training.counts import Counts

__version__ = "0.1.0"

_HOMES = {
    "detect": "geochange.detection",
    "polygonize": "geochange.polygonizing",
    "Result": "geochange.detection",
    "GeochangeError": "geochange.errors",
    "evaluate": "geochange.evaluation",
    "compare": "geochange.comparison",
    "cut": "geochange.cutting",
    "parse_setting": "geochange.config.files",
    "load_model": "geochange.models.detector",
    "train": "geochange.learning",
    "run_command": "geochange.cli.main",
    "screen": "geochange.cli.screen",
    "closing_table": "geochange.cli.screen",
    "bounds_of": "geochange.geo.scenes",
    "date_of": "geochange.geo.scenes",
    "read_changes": "geochange.geo.vector",
    "Counts": "geochange.training.counts",
    "Span": "geochange.geo.timeline",
    "write_timeline": "geochange.geo.timeline",
}
"""Public names and where they live; loaded when first used, for `import geochange` to be instant.

No module is named like a function here: importing it would put it in the function's place.
"""

__all__ = [
    "Counts",
    "GeochangeError",
    "Result",
    "Span",
    "__version__",
    "bounds_of",
    "closing_table",
    "compare",
    "cut",
    "date_of",
    "detect",
    "evaluate",
    "load_model",
    "parse_setting",
    "polygonize",
    "read_changes",
    "run_command",
    "screen",
    "train",
    "write_timeline",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geochange' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
