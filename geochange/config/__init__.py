"""OPTIONS: validated once, frozen, and refused in one line that names what is wrong."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geochange.config.evaluate import CompareOptions, EvaluateOptions
    from geochange.config.model import ModelOptions
    from geochange.config.onnx import OnnxOptions
    from geochange.config.pair import CheckOptions, PairOptions
    from geochange.config.run import OutlineOptions, PolygonizeOptions, RunOptions
    from geochange.config.train import TrainOptions

_HOMES = {
    **dict.fromkeys(("CompareOptions", "EvaluateOptions"), "evaluate"),
    **dict.fromkeys(("ModelOptions",), "model"),
    **dict.fromkeys(("OnnxOptions",), "onnx"),
    **dict.fromkeys(("CheckOptions", "PairOptions"), "pair"),
    **dict.fromkeys(("OutlineOptions", "PolygonizeOptions", "RunOptions"), "run"),
    **dict.fromkeys(("TrainOptions",), "train"),
}
"""Options and their modules. A command builds its own only, because each takes its time."""

__all__ = [
    "CheckOptions",
    "CompareOptions",
    "EvaluateOptions",
    "ModelOptions",
    "OnnxOptions",
    "OutlineOptions",
    "PairOptions",
    "PolygonizeOptions",
    "RunOptions",
    "TrainOptions",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geochange.config' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"geochange.config.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
