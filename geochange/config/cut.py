"""CutOptions: how a labelled pair is cut into chips."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from geochange.config.base import Options


class CutOptions(Options):
    """How a labelled pair is cut into chips; the defaults are those of the command."""

    size: int = Field(256, ge=32, le=4096, description="side of a chip in pixels")
    overlap: int = Field(0, ge=0, description="pixels a chip shares with the next")
    val: float = Field(0.2, ge=0, lt=1, description="share of the chips for validation")
    test: float = Field(0.0, ge=0, lt=1, description="share of the chips for testing")
    block: int | None = Field(
        None, ge=1, le=1024, description="chips along a side of a block, one split; else 4 at most"
    )
    gap: int = Field(0, ge=0, le=8192, description="pixels between chips of different splits")
    seed: int = Field(0, ge=0, description="which blocks go where, and which empty chips stay")
    bands: str | None = Field(
        None, description="three bands, such as 4,3,2 or 4,3,2:3,2,1; with --stretch raw any number"
    )
    grid: str = Field("before", description="before, after, or a raster whose grid is taken")
    stretch: str = Field(
        "auto",
        description="auto, joint, per-date, none, LOW,HIGH, of radar db, db:linear, db:decibels; or raw: "
        "any bands as they are, as GeoTIFF, for data.pixels raw and db",
    )
    min_valid: float = Field(
        0.5, ge=0, le=1, description="least share of a chip that holds data at both dates"
    )
    empty: float = Field(
        1.0, ge=0, le=1, description="share of training chips without change that is kept"
    )
    reviewed: bool = Field(
        False,
        description="LABELS are polygons of a run with a status: accept is change, reject none, "
        "unset unknown, and so none is all the ground outside of them",
    )
    name: str | None = Field(None, description="what chips are called; else the name of BEFORE")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.overlap > self.size * 7 // 8:
            raise ValueError(
                f"overlap {self.overlap} does not fit size {self.size}; at most {self.size * 7 // 8}"
            )
        if self.val + self.test >= 1:
            raise ValueError(
                f"val {self.val:g} and test {self.test:g} leave no chips for training; their sum "
                "must be less than 1"
            )
        if self.name is not None and not _plain(self.name):
            raise ValueError(f"name {self.name!r}: use only letters, digits, - and _")
        return self


def _plain(name: str) -> bool:
    return name.isascii() and name.replace("-", "").replace("_", "").isalnum()
