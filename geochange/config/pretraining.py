"""Options of trainings on pictures without labels of change: planted pairs, and named scenes."""

from __future__ import annotations

from pydantic import Field

from geochange.config.base import Options


class PlantingOptions(Options):
    """Pairs made of unlabelled pictures, where data.layout is planted."""

    chips: int = Field(100_000, ge=1, description="pairs to learn from; no two are alike")
    val_chips: int = Field(256, ge=1, description="pairs to validate on, of cities kept out")
    size: int = Field(128, ge=64, le=512, multiple_of=32, description="pixels a side")
    revisits: float = Field(0.5, ge=0, le=1, description="share that are two real visits")
    far: float = Field(0.2, ge=0, le=1, description="share that shows ten metres a pixel")
    unchanged: float = Field(0.35, ge=0, lt=1, description="share without any change")
    things: int = Field(3, ge=1, le=20, description="most changes, and most things of both dates")
    large: float = Field(0.2, ge=0, le=1, description="share of things that may cover most of it")
    relief: float = Field(0.5, ge=0, le=1, description="share of near pairs seen from two sides")
    season: float = Field(
        0.3, ge=0, le=1, description="share of pairs with fields greener or drier"
    )
    light: float = Field(1.0, ge=0, le=3, description="how much brightness and colour differ")
    air: float = Field(1.0, ge=0, le=3, description="how often there is haze or cloud shadow")
    optics: float = Field(1.0, ge=0, le=2, description="how often there is blur, noise, JPEG")
    place: float = Field(1.0, ge=0, le=3, description="how far the dates are shifted and warped")


class SceneOptions(Options):
    """The pretraining of a CLIP of the network's own, where network.start is scenes."""

    folder: str = Field("scenes/ucm", description="in the data root: a folder for each class")
    size: int = Field(128, ge=64, le=512, multiple_of=64, description="pixels a side it sees")
    small: float = Field(0.6, ge=0, le=1, description="share of the steps at half the size")
    steps: int = Field(20_000, ge=1, description="steps in all")
    warmup_steps: int = Field(150, ge=0, description="steps of linear warm-up")
    batch: int = Field(64, ge=2, description="pictures a step")
    lr: float = Field(2e-3, gt=0, description="learning rate")
    weight_decay: float = Field(0.05, ge=0, description="none on norms")
    smoothing: float = Field(0.1, ge=0, lt=1, description="of the captions' shares")
    mix: float = Field(0.2, ge=0, description="how strongly pictures are mixed; 0: not at all")
    ema: float = Field(0.995, ge=0, lt=1, description="decay of averaged weights; 0: none")
    every: int = Field(500, ge=1, description="steps between validations")
