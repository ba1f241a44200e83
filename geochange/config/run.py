"""RunOptions: how `run` processes a pair."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import AliasChoices, Field, field_validator, model_validator

from geochange.config.base import Options
from geochange.config.model import ModelOptions, named_devices
from geochange.config.pair import PairOptions


class _Pair(PairOptions):
    """How the dates are brought together."""

    help_group: ClassVar[str] = "How the dates are brought together"

    coregister: bool = Field(
        False, description="measure how far the dates are off each other and put that right"
    )
    match: str = Field(
        "none",
        description="histogram: give after the colours of before, scene-wide; or none",
        json_schema_extra={"enum": ["none", "histogram"]},
    )
    stretch: str = Field(
        "auto",
        description="auto, joint, per-date, none, LOW,HIGH, or of radar db, db:linear, db:decibels",
        examples=["auto", "joint", "per-date", "none", "db"],
    )
    skip_checks: bool = Field(
        False, description="do not look at dates, shift, clouds and histograms first"
    )


MODEL_TILING = {"changeclip-small": {"tile": 512, "block": 4}}
"""Tile and block by model, where the user names none. A small network is twice as fast on larger
tiles and sees more context; its blocks cover the same ground as others.
"""

RADAR_MODELS = ("ratio", "ratio-otsu")
"""Models of backscatter in decibels. Their stretch is db, where the user names none."""


class _Model(Options):
    """The model."""

    help_group: ClassVar[str] = ModelOptions.help_group

    model: str = Field(
        "changeclip-small",
        description="changeclip-small, cva, irmad, ratio or ratio-otsu (radar), a file of weights or "
        ".onnx, or package.module:Class",
        examples=["changeclip-small", "cva", "irmad", "ratio", "ratio-otsu"],
    )


class OutlineOptions(Options):
    """Which polygons are written, and how they are drawn."""

    help_group: ClassVar[str] = "What is written"

    min_area: float | None = Field(
        None, ge=0, description="smallest polygon, square metres; else 16 pixels"
    )
    min_confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="least confidence of a polygon; else as calibrated, or 0 of pixels of some metres, "
        "with --only, and of models without calibration",
    )
    simplify: float = Field(
        0.5, ge=0, le=100, description="how far outlines may move to have fewer points, in pixels"
    )
    smooth: int = Field(0, ge=0, le=3, description="how often corners are cut, to round outlines")
    orthogonal: bool = Field(
        False, description="right angles for outlines with straight walls, such as buildings"
    )
    overwrite: bool = Field(
        False, description="replace polygons that somebody has reviewed, or a file of other things"
    )


class PolygonizeOptions(OutlineOptions):
    """How `polygonize` draws the polygons of a run again."""

    threshold: float | None = Field(
        None, gt=0, le=1, description="probability that is change; else that of the run"
    )


class _Written(OutlineOptions):
    """What is written."""

    help_group: ClassVar[str] = OutlineOptions.help_group

    threshold: float | None = Field(
        None, gt=0, le=1, description="probability that is change; else the model's own"
    )
    only: str | None = Field(
        None,
        description="classes, such as building,road, of which one must be there before or after",
    )
    report: str = Field(
        "html",
        description="html (a page to read), json (the same facts), or none",
        json_schema_extra={"enum": ["html", "json", "none"]},
    )


class RunOptions(_Written, ModelOptions, _Model, _Pair):
    """How `run` processes a pair; the defaults are those of the command."""

    help_group: ClassVar[str] = "How it is worked"

    tile: int = Field(
        256, ge=32, le=4096, description="tile size in pixels; else 512 of changeclip-small"
    )
    overlap: int = Field(64, ge=0, description="pixels a tile shares with the next")
    taper: str = Field(
        "hann",
        description="how tiles fade into each other: hann, linear, flat",
        json_schema_extra={"enum": ["hann", "linear", "flat"]},
    )
    block: int = Field(8, ge=1, le=64, description="tiles along a side of a block, one task")
    batch: int | None = Field(
        None, ge=1, le=4096, description="most chips the network sees at once; else what fits"
    )
    device: str = Field(
        "auto",
        validation_alias=AliasChoices("device", "devices"),
        description="auto, cpu, cuda:N, or several GPUs, such as 0,1",
        examples=["auto", "cpu", "cuda:0"],
    )
    engine: str = Field(
        "auto",
        description="what runs the network: torch, onnx (onnxruntime: the shipped network on a CPU), or "
        "auto, the faster one",
        json_schema_extra={"enum": ["auto", "torch", "onnx"]},
    )
    scheduler: str | None = Field(
        None,
        description="address of a Dask scheduler, such as tls://host:8786; on tcp:// whoever reaches the "
        "port can run code as you",
    )
    workers: int = Field(0, ge=0, le=1024, description="worker processes; 0 works in this one")
    threads: int | None = Field(None, ge=1, le=1024, description="threads of each worker")
    max_memory: float | None = Field(
        None, gt=0, description="gigabytes to take at most; else 60 % of the machine's"
    )
    skip_unreadable: bool = Field(
        False, description="take pixels that cannot be read for nodata, and say which"
    )
    work: str | None = Field(
        None,
        description="folder or s3://, gs:// or az:// address for the work of the run; else beside --out; "
        "all workers must reach it",
    )
    keep_work: bool = Field(False, description="leave the work of the run behind")
    performance_report: str | None = Field(
        None,
        description="page by Dask with the times of all tasks and workers, FILE.html; with --workers or "
        "--scheduler",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_the_model_likes_it(cls, given: Any) -> Any:
        model = given.get("model", cls.model_fields["model"].default)
        if model in RADAR_MODELS:
            given = {"stretch": "db", **given}
        return given if "tile" in given else {**MODEL_TILING.get(model, {}), **given}

    @field_validator("device")
    @classmethod
    def _devices_are_named(cls, device: str) -> str:
        return named_devices(device)

    @model_validator(mode="after")
    def _radar_is_in_decibels(self) -> RunOptions:
        if self.model in RADAR_MODELS and not self.stretch.startswith("db"):
            raise ValueError(
                f"--stretch {self.stretch}: {self.model} compares decibels of a radar; leave it out, or "
                "choose --model cva for other pixels"
            )
        return self

    @model_validator(mode="after")
    def _dask_reports_on_workers(self) -> RunOptions:
        if self.performance_report is not None and not (self.workers or self.scheduler):
            raise ValueError(
                "--performance-report: is made by Dask, which does not run here; add --workers N or "
                "--scheduler ADDRESS, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _overlap_fits(self) -> RunOptions:
        if self.overlap > self.tile * 7 // 8:
            raise ValueError(
                f"overlap {self.overlap} does not fit tile {self.tile}; at most {self.tile * 7 // 8}"
            )
        return self
