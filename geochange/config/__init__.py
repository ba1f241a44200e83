"""OPTIONS: validated once, frozen, and refused in one line that names what is wrong."""

from geochange.config.evaluate import CompareOptions, EvaluateOptions
from geochange.config.model import ModelOptions
from geochange.config.onnx import OnnxOptions
from geochange.config.pair import CheckOptions, PairOptions
from geochange.config.run import OutlineOptions, PolygonizeOptions, RunOptions
from geochange.config.train import TrainOptions

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
