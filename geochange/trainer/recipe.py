"""From the options of `train` to the objects of a training."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from geochange.config import TrainOptions
from geochange.land_cover import ClassTable
from geochange.models.bands.input_bands import InputBands
from geochange.models.changeclip.variants import Regularisation
from geochange.models.learning.trainable import IMAGENET, NetworkStart
from geochange.trainer.checkpoint_to_resume import flat_options
from geochange.training.data.augment import Augmentation
from geochange.training.data.sampler import BatchShare
from geochange.training.fabric_devices import Fabric, FabricDevices
from geochange.training.journals.mlflow_run import MlflowSettings
from geochange.training.losses import find_loss
from geochange.training.lr_schedule import learning_rate
from geochange.training.planting import Nuisances, PlantedSource, Planting
from geochange.training.semantic_loss import SemanticLoss
from geochange.training.training_state import Loss, OptimizerSettings

SCENES = "scenes"
"""The start from the network's own CLIP, pretrained on scenes."""

WITH_OWN_CLIP = (SCENES, IMAGENET)
"""The starts that need the network's own CLIP."""


def network_start_of(
    options: TrainOptions,
    own_clip: Path | None = None,
    land: Path | None = None,
    bands: InputBands | None = None,
    classes: ClassTable | None = None,
) -> NetworkStart:
    """The initial network before it is trained on changes.

    own_clip: the file of its pretrained CLIP. land: the file with its pretrained tower and land head.
    bands: of the chips; None for RGB in 0-255. classes: of the chips, for semantic heads.
    """
    network = options.network
    how = Regularisation(network.dropout, network.drop_path, network.tower_drop_path)
    weights = network.start
    if weights == SCENES:
        weights = str(own_clip) if own_clip else None
    if weights == IMAGENET and land is not None:
        weights = str(land)
    return NetworkStart(
        network.variant, weights, how, network.double_class_token, options.seed, bands, classes
    )


def names_nothing(options: TrainOptions) -> bool:
    """Whether texts are fixed, so that a network needs no CLIP."""
    return options.prompts.mode == "fixed"


def is_pretrained_here(options: TrainOptions) -> bool:
    """Whether a CLIP of the network's own is trained first; a semantic network takes none."""
    return options.network.start in WITH_OWN_CLIP and not options.is_semantic


def planted_source_of(options: TrainOptions, root: Path, *, kept_out: bool) -> PlantedSource:
    """Pairs made of the pictures in `root`, for training or for validation."""
    p = options.planting
    made = Nuisances(p.light, p.air, p.optics, p.place)
    again = Nuisances(0.5 * p.light, 0.3 * p.air, 0.7 * p.optics, 0.4 * p.place)
    planting = Planting(
        size_px=p.size,
        revisits=p.revisits,
        far=p.far,
        unchanged=p.unchanged,
        things=p.things,
        large=p.large,
        relief=p.relief,
        season=p.season,
        nuisances=made,
        again=again,
    )
    count = p.val_chips if kept_out else p.chips
    return PlantedSource(root, planting, count, options.seed, kept_out)


def fabric_devices_of(options: TrainOptions) -> FabricDevices:
    """The devices of the training."""
    device = options.device
    return FabricDevices(
        device.accelerator, device.devices, device.nodes, device.precision, device.threads
    )


def batch_share_of(options: TrainOptions, rank: int, world: int) -> BatchShare:
    """The part of every step that one process computes."""
    own = options.batch // world
    return BatchShare(options.batch, min(own, options.optim.micro_batch or own), rank, world)


def optimizer_settings_of(options: TrainOptions) -> OptimizerSettings:
    """The settings of the optimizer. Raises OptionError for an unknown loss."""
    optim = options.optim
    rate = partial(
        learning_rate,
        base=optim.lr,
        warmup_steps=optim.warmup_steps,
        warmup_factor=optim.warmup_factor,
        total_steps=optim.steps,
        power=optim.power,
    )
    loss: Loss = find_loss(optim.loss)
    if options.is_semantic:
        loss = SemanticLoss(loss, options.semantic.classes, options.semantic.consistency)
    return OptimizerSettings(
        loss,
        rate,
        betas=optim.betas,
        clip_norm=optim.clip_norm,
        ema=optim.ema,
        seed=options.seed,
        compiled=options.device.compile,
    )


def augmentation_of(options: TrainOptions, bands: InputBands | None = None) -> Augmentation:
    """The augmentation of the chips. bands: None for RGB in 0-255."""
    a = options.augment
    return Augmentation(
        size_px=a.size,
        rotate_degrees=a.rotate_degrees,
        rotate=a.rotate,
        crop_share=a.crop_share,
        flip=a.flip,
        photometric=a.photometric,
        brightness=a.brightness,
        contrast=a.contrast,
        saturation=a.saturation,
        hue_degrees=a.hue_degrees,
        swap=a.swap,
        mean=bands.mean if bands else (),
        std=bands.std if bands else (),
        speckle=a.speckle,
        looks=a.looks,
    )


def loader_processes(options: TrainOptions, fabric: Fabric) -> int:
    """The number of processes that load chips for each training process.

    By default they use the cores that are free; one on a CPU, where training uses all cores. None in a
    notebook: its kernel runs threads, and a process forked beside them may wait for ever.
    """
    if options.data.workers is not None:
        return options.data.workers
    if _in_notebook():
        return 0
    if fabric.device.type == "cpu":
        return 1
    here = max(1, fabric.world_size // options.device.nodes)
    return max(1, min(16, (os.cpu_count() or 1) // here - 1))


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def mlflow_of(options: TrainOptions) -> MlflowSettings | None:
    """The run of MLflow; None without one."""
    where = options.mlflow
    if where.uri is None:
        return None
    values = options.model_dump(mode="json", exclude={"mlflow"})
    params = {name: str(value) for name, value in flat_options(values)}
    return MlflowSettings(where.uri, where.experiment, params)
