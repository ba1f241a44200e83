"""Options: validated once, frozen, and refused with a line that names what is wrong."""

from geochange.config.evaluate import CompareOptions, EvaluateOptions
from geochange.config.model import ModelOptions
from geochange.config.pair import CheckOptions, PairOptions
from geochange.config.run import RunOptions
from geochange.config.train import TrainOptions

__all__ = [
    "CheckOptions",
    "CompareOptions",
    "EvaluateOptions",
    "ModelOptions",
    "PairOptions",
    "RunOptions",
    "TrainOptions",
]
