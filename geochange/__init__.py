"""geochange: two georeferenced pictures of the same ground in, polygons of what changed out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geochange.detect import Result, detect

__version__ = "0.1.0.dev0"

_HOMES = {"detect": "geochange.detect", "Result": "geochange.detect"}
"""Public names and where they live; loaded when first used, for `import geochange` to be instant."""

__all__ = ["Result", "__version__", "detect"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geochange' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    # The submodule `detect` would otherwise take the place of the function of that name.
    globals()[name] = found
    return found
