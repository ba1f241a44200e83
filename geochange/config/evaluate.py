"""EvaluateOptions and CompareOptions: how `evaluate` measures a model, and polygons."""

from __future__ import annotations

from pydantic import Field

from geochange.config.base import Options
from geochange.config.model import ModelOptions


class _Chips(Options):
    """Options of labelled chips; the first group in the help."""

    split: str = Field("test", description="train, val or test")
    layout: str = Field("auto", description="auto looks; or a name of docs/training.md")
    bands: str | None = Field(None, description="bands that are red, green, blue, such as 4,3,2")


class EvaluateOptions(ModelOptions, _Chips):
    """How a model is measured on labelled chips."""

    batch: int = Field(16, ge=1, le=4096, description="chips the network sees at once")
    threshold: float | None = Field(
        None, gt=0, lt=1, description="probability that is change; else the model's own"
    )
    tta: bool = Field(False, description="mean of the eight ways to turn and mirror a chip")
    tolerance: int = Field(2, ge=0, le=64, description="pixels by which boundaries may be off")


class CompareOptions(Options):
    """How polygons are compared with reference polygons."""

    pixel: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="size of a pixel, metres; else the run's own"
    )
    extent: str | None = Field(None, description="raster on whose grid polygons are compared")
    within: str | None = Field(None, description="polygons outside of which nothing counts")
    tolerance: int = Field(2, ge=0, le=64, description="pixels by which boundaries may be off")
