"""Pretraining of image tower and land head on the land cover of images of one date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from geochange.config import TrainOptions
from geochange.files.output_paths import make_folder
from geochange.models.changeclip.network import ChangeClip
from geochange.models.learning.trainable import initial_network
from geochange.models.learning.trainable_land import TrainableLand
from geochange.models.weights.checkpoint import Checkpoint, read_training, write_checkpoint
from geochange.models.weights.resume_state import ResumeState
from geochange.progress import Watch
from geochange.trainer.land_cover_validation import LandScores, validate_land
from geochange.trainer.preparation import PreparedTraining
from geochange.trainer.pretrained import DONE, is_done
from geochange.trainer.recipe import fabric_devices_of, loader_processes, network_start_of
from geochange.training.data.land_cover_pictures import (
    LandBatch,
    LandCrops,
    collate_land,
    read_land,
)
from geochange.training.data.loader import Loader
from geochange.training.data.sampler import BatchShare
from geochange.training.land_cover_loss import land_loss
from geochange.training.lr_schedule import learning_rate, parameter_groups
from geochange.training.training_state import LR_FACTOR_KEY, OptimizerSettings, TrainingState

STAGE = "land"
CLIP_NORM = 2.0
"""The largest norm of a gradient before clipping."""


def pretrain_land(prepared: PreparedTraining, watch: Watch) -> None:
    """Train tower and land head, unless they exist, or the network has another start.

    The network is saved regularly, and resumed from its file; a damaged file is removed, and a
    new one is trained. Raises InputError if there are no labelled images.
    """
    file = prepared.land
    if file is None or is_done(file):
        return
    make_folder(file.parent)
    LandTraining(prepared.options, prepared.root, file).learn(watch)


@dataclass
class LandTraining:
    """A land cover training: the network, its images and its progress."""

    options: TrainOptions
    root: Path
    file: Path

    def __post_init__(self) -> None:
        land, root = self.options.land, self.root
        folders = root / land.folder, root / self.options.scenes.folder
        scenes = folders[1] if folders[1].is_dir() else None
        self.judged = read_land(folders[0], scenes, kept_out=True)
        taught = read_land(folders[0], scenes, kept_out=False)
        network, self.card = initial_network(network_start_of(self.options))
        self.training_state = self._new_training_state(TrainableLand(network))
        self.loader: Loader[Any, LandBatch] = Loader(
            LandCrops(taught, land.size, self.options.seed),
            collate_land,
            BatchShare(land.batch, land.batch),
            loader_processes(self.options, self.training_state.fabric),
            pin=self.training_state.fabric.device.type == "cuda",
        )

    def _new_training_state(self, learner: TrainableLand) -> TrainingState:
        land = self.options.land
        rate = partial(
            learning_rate,
            base=land.lr,
            warmup_steps=min(land.warmup_steps, land.steps - 1),
            warmup_factor=1e-2,
            total_steps=land.steps,
            power=land.power,
        )
        fabric = replace(fabric_devices_of(self.options), devices=1, nodes=1).fabric()
        learner.prepare_on(fabric.device)
        course = OptimizerSettings(
            land_loss, rate, clip_norm=CLIP_NORM, ema=land.ema, seed=self.options.seed
        )
        tower, head = (parameter_groups(part, land.weight_decay) for part in learner.parts)
        slow = [{**group, LR_FACTOR_KEY: land.tower} for group in tower]
        return TrainingState(fabric, learner, [*slow, *head], course)

    def learn(self, watch: Watch) -> None:
        """Take the remaining steps. The file holds the last validated state."""
        steps, every, told = self.options.land.steps, self.options.land.every, ""
        for step, lessons in self.loader.steps(self._resume(), steps):
            loss = self.training_state.learn(step, lessons)
            if (step + 1) % every == 0 or step + 1 == steps:
                figures = self.validate()
                self._keep(step + 1, figures)
                told = f", building IoU {figures.building:.3f}"
            watch(STAGE, step + 1, steps, f"loss {loss:.3f}{told}")

    def validate(self) -> LandScores:
        """The figures on held-out images."""
        return validate_land(cast(ChangeClip, self.training_state.best_network), self.judged)

    def _keep(self, step: int, figures: LandScores) -> None:
        self.training_state.check(step)
        network = self.training_state.best_network
        tensors = {name: x.detach().cpu() for name, x in network.state_dict().items()}
        facts: dict[str, Any] = {"step": step, DONE: step == self.options.land.steps}
        told = {name: round(value, 4) for name, value in figures.to_metrics().items()}
        checkpoint = Checkpoint(replace(self.card, metrics=told), tensors)
        write_checkpoint(self.file, checkpoint, ResumeState(self.training_state.state(), facts))

    def _resume(self) -> int:
        if not self.file.is_file():
            return 0
        checkpoint, memory = read_training(self.file)
        self.training_state.best_network.load_state_dict(dict(checkpoint.tensors))
        self.training_state.restore(memory.tensors)
        return int(memory.facts["step"])
