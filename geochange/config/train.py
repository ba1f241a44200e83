"""TrainOptions: how `train` trains a network. The defaults are the published recipe.

Source of every number, unless said otherwise: ChangeCLIP (Dong et al. 2024), sec. 4.2, and the
configurations published with its code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from geochange.config.base import Options
from geochange.config.pretraining import PlantingOptions, SceneOptions


class DataOptions(Options):
    """The labelled chips."""

    root: str | None = Field(None, description="folder of the data set; --data says it too")
    name: str | None = Field(None, description="its folder under CDPATH, where no root is given")
    layout: str = Field("auto", description="auto looks; planted; or a name of docs/training.md")
    bands: str | None = Field(
        None,
        description="bands to learn from, such as 4,3,2 or 1,2,3,4; null: three, or all of them",
    )
    pixels: Literal["8-bit", "raw", "db"] | None = Field(
        None,
        description="8-bit: three bands as RGB; raw: as in the files; db: radar in decibels; null: 8-bit "
        "for three bands, else raw, or as the model that is started from",
    )
    rgb: str | None = Field(
        None,
        description="of raw bands those that CLIP sees as red, green, blue; null: by their names",
    )
    train: str = Field("train", description="split to learn from")
    val: str = Field("val", description="split to validate on, and to choose the threshold on")
    workers: int | None = Field(None, ge=0, description="loading processes a device; null chooses")

    @model_validator(mode="after")
    def _apart(self) -> DataOptions:
        if self.train == self.val:
            raise ValueError(
                f"data.train and data.val are both {self.train}; validate on other chips than "
                "those for training"
            )
        return self


class NetworkOptions(Options):
    """The network, and what it starts from."""

    variant: str = Field("rn50", description="sizes by name: rn50, vit-b16, lite, small, tiny")
    heads: Literal["change", "semantic"] = Field(
        "change",
        description="semantic: change, and of lite which class stands on each pixel at each date",
    )
    start: str | None = Field(
        "clip",
        description="clip: the variant's OpenAI CLIP; scenes: a CLIP of its own, trained first; "
        "imagenet: of lite, with a CLIP of its own and the land head trained first; MODEL/TAG or a "
        "file; null: random",
    )
    steady: bool = Field(
        False, description="image tower and land head stay as they are while changes are learnt"
    )
    double_class_token: bool = Field(
        False, description="vit-b16: the published weights' quirk, for resuming from those"
    )
    feature_noise: float = Field(
        0.0, ge=0, le=1, description="share of chips with changes planted into features, not pixels"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="context decoder, and before the head")
    drop_path: float = Field(0.2, ge=0, lt=1, description="of each decoder stage's second block")
    tower_drop_path: float = Field(0.1, ge=0, lt=1, description="of the last block of vit-b16")
    batch_norm: Literal["each", "synced", "frozen"] = Field(
        "each", description="statistics of a device's own chips, of all devices', or as they are"
    )
    batch_norm_dates: Literal["apart", "together"] = Field(
        "apart", description="statistics of each date by itself, as published, or of both at once"
    )


class LandOptions(Options):
    """What stands on each pixel of one date, learnt first where network.start is imagenet."""

    folder: str = Field("labelled", description="in the data root: a folder for each set")
    size: int = Field(192, ge=64, le=512, multiple_of=32, description="pixels a side of a crop")
    steps: int = Field(2400, ge=1, description="steps in all")
    warmup_steps: int = Field(100, ge=0, description="steps of linear warm-up")
    batch: int = Field(10, ge=1, description="crops a step")
    lr: float = Field(1e-3, gt=0, description="learning rate")
    tower: float = Field(0.3, ge=0, le=1, description="times lr: the rate of the image tower")
    power: float = Field(0.7, gt=0, description="of the polynomial decay to 0")
    weight_decay: float = Field(0.02, ge=0, description="none on norms")
    ema: float = Field(0.998, ge=0, lt=1, description="decay of averaged weights; 0: none")
    every: int = Field(300, ge=1, description="steps between validations")
    alone: bool = Field(
        False, description="learn nothing else: land.safetensors, for `geochange weights join`"
    )


class SemanticOptions(Options):
    """What the classes of both dates weigh, where network.heads is semantic."""

    classes: float = Field(
        1.0, ge=0, description="weight of the classes' cross-entropy beside optim.loss"
    )
    consistency: float = Field(
        1.0, ge=0, description="weight of classes that agree where nothing changed, and only there"
    )


class PromptOptions(Options):
    """How the texts are made."""

    mode: Literal["per-date", "published", "fixed"] | None = Field(
        "per-date",
        description="per-date: each date's own names; published: the same while training, the date "
        "before names both afterwards; fixed: no CLIP; null: as the model that is started from",
    )
    clip: str | None = Field(None, description="CLIP that names classes; null: OpenAI's ViT-B/16")
    vocabulary: str | None = Field(
        None, description="file of class names; null: those of the start, else the published 56"
    )


class AugmentOptions(Options):
    """The augmentation of training chips."""

    size: int = Field(256, ge=32, le=4096, multiple_of=32, description="pixels a side of a crop")
    rotate_degrees: float = Field(180.0, ge=0, le=180, description="rotation to either side")
    rotate: float = Field(0.5, ge=0, le=1, description="probability of a rotation")
    crop_share: float = Field(
        0.75, gt=0, le=1, description="most of a crop that one class may fill"
    )
    flip: float = Field(0.5, ge=0, le=1, description="probability of a flip, along each axis")
    photometric: float = Field(0.5, ge=0, le=1, description="probability of each distortion below")
    brightness: float = Field(10.0, ge=0, le=255, description="added, to either side, of 255")
    contrast: float = Field(0.2, ge=0, lt=1, description="multiplied by 1 less to 1 plus this")
    saturation: float = Field(0.2, ge=0, lt=1, description="multiplied by 1 less to 1 plus this")
    hue_degrees: float = Field(20.0, ge=0, le=180, description="turned, to either side, of 360")
    swap: float = Field(0.0, ge=0, le=1, description="probability that the dates change places")
    speckle: float = Field(0.0, ge=0, le=1, description="db: probability of added speckle, by date")
    looks: float = Field(4.4, gt=0, description="looks of that speckle; more are fainter")


class OptimOptions(Options):
    """The optimizer and its schedule."""

    loss: str = Field("cross_entropy", description="cross_entropy, focal, cross_entropy+dice")
    lr: float = Field(1e-4, gt=0, description="learning rate; 3e-5 on SYSU-CD")
    weight_decay: float = Field(0.01, ge=0, description="none on norms and relative positions")
    betas: tuple[float, float] = Field((0.9, 0.999), description="AdamW's two")
    small: float = Field(0.6, ge=0, le=1, description="share of the steps at half the size")
    steps: int = Field(20_000, ge=1, description="steps in all")
    warmup_steps: int = Field(1500, ge=0, description="steps of linear warm-up")
    warmup_factor: float = Field(1e-6, gt=0, le=1, description="of lr, where the warm-up starts")
    power: float = Field(1.0, gt=0, description="of the polynomial decay to 0")
    batch: int | Mapping[str, int] = Field(
        {"rn50": 40, "vit-b16": 24, "lite": 16, "small": 32, "tiny": 8},
        description="chips a step, all devices together",
    )
    micro_batch: int | None = Field(
        None, ge=1, description="chips a device sees at once; null: its whole share of the batch"
    )
    clip_norm: float = Field(0.0, ge=0, description="largest norm of the gradient; 0: any")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of averaged weights; 0: none are kept")

    @model_validator(mode="after")
    def _warm_in_time(self) -> OptimOptions:
        if self.warmup_steps > self.steps:
            raise ValueError(
                f"optim.warmup_steps {self.warmup_steps} is more than optim.steps {self.steps}; "
                "give less, such as 0"
            )
        return self


class ValidationOptions(Options):
    """How validation is done."""

    every: int = Field(500, ge=1, description="steps between validations")
    best: Literal["iou", "miou", "f1", "sek", "fscd", "scd_score"] = Field(
        "iou", description="the authors keep the best miou; the last three need semantic heads"
    )
    batch: int = Field(16, ge=1, description="chips at once")
    most_false: float = Field(
        1.0, gt=0, le=1, description="most of unchanged pixels that the threshold may call changed"
    )
    sheet: int = Field(8, ge=0, le=64, description="chips on the contact sheet; 0: no sheet")


class DeviceOptions(Options):
    """The devices of a training."""

    accelerator: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: GPUs if any")
    devices: int | Literal["auto"] = Field("auto", description="how many of them; auto: all")
    nodes: int = Field(1, ge=1, description="machines, each with so many devices")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="of the arithmetic; weights stay float32"
    )
    threads: int | None = Field(
        None, ge=1, description="of a CPU, for each device; null: torch's choice"
    )
    compile: bool = Field(False, description="run the network through torch.compile")

    @model_validator(mode="after")
    def _some(self) -> DeviceOptions:
        if self.devices != "auto" and self.devices < 1:
            raise ValueError(f"devices {self.devices}: at least 1, or auto")
        return self


class MlflowOptions(Options):
    """A run of MLflow with the measurements of a training (geochange[mlflow])."""

    uri: str | None = Field(
        None, description="of the store, such as sqlite:///runs.db or https://HOST; null: no MLflow"
    )
    experiment: str = Field("geochange", min_length=1, description="the experiment of the run")


class TrainOptions(Options):
    """All options of a training."""

    seed: int = Field(0, ge=0, lt=2**32, description="of weights, order and augmentation")
    data: DataOptions = DataOptions()
    planting: PlantingOptions = PlantingOptions()
    scenes: SceneOptions = SceneOptions()
    land: LandOptions = LandOptions()
    network: NetworkOptions = NetworkOptions()
    semantic: SemanticOptions = SemanticOptions()
    prompts: PromptOptions = PromptOptions()
    augment: AugmentOptions = AugmentOptions()
    optim: OptimOptions = OptimOptions()
    validation: ValidationOptions = ValidationOptions()
    device: DeviceOptions = DeviceOptions()
    mlflow: MlflowOptions = MlflowOptions()
    log_every: int = Field(50, ge=1, description="steps between lines of metrics.csv")

    @model_validator(mode="after")
    def _batch_is_known(self) -> TrainOptions:
        batch = self.optim.batch
        if isinstance(batch, Mapping) and self.network.variant not in batch:
            raise ValueError(
                f"optim.batch has no number for network.variant {self.network.variant}; "
                f"add it, or give one number for all"
            )
        if self.batch < 1:
            raise ValueError(f"optim.batch {self.batch}: at least 1")
        return self

    @model_validator(mode="after")
    def _figure_is_measured(self) -> TrainOptions:
        best = self.validation.best
        if best in ("sek", "fscd", "scd_score") and not self.is_semantic:
            raise ValueError(
                f"validation.best {best} is of classes; set network.heads semantic, or take iou"
            )
        return self

    @property
    def is_semantic(self) -> bool:
        """Whether the network learns the classes of both dates, too."""
        return self.network.heads == "semantic"

    @property
    def batch(self) -> int:
        """Chips a step, over all devices."""
        batch = self.optim.batch
        return batch[self.network.variant] if isinstance(batch, Mapping) else batch
