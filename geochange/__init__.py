"""geochange: two georeferenced pictures of the same ground in, polygons of what changed out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geochange.detection import Result, detect
    from geochange.evaluation import evaluate
    from geochange.learning import train
    from geochange.models.detector import load_model
    from geochange.polygonizing import polygonize

__version__ = "0.1.0.dev0"

_HOMES = {
    "detect": "geochange.detection",
    "polygonize": "geochange.polygonizing",
    "Result": "geochange.detection",
    "evaluate": "geochange.evaluation",
    "load_model": "geochange.models.detector",
    "train": "geochange.learning",
}
"""Public names and where they live; loaded when first used, for `import geochange` to be instant.

No module is named like a function here: importing it would put it in the function's place.
"""

__all__ = ["Result", "__version__", "detect", "evaluate", "load_model", "polygonize", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geochange' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
