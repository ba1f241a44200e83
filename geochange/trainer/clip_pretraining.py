"""Pretraining of the network's own small CLIP from scratch on scenes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from geochange.config import TrainOptions
from geochange.files.output_paths import make_folder
from geochange.models.changeclip.clip_alignment import Aligner, caption_logits, caption_tokens
from geochange.models.changeclip.text_tower import TextOptions
from geochange.models.changeclip.variants import find_variant
from geochange.models.weights.checkpoint import read_clip, write_clip
from geochange.models.weights.resume_state import ResumeState, read_resume_state
from geochange.progress import Watch
from geochange.trainer.naming_accuracy import NamingAccuracy, naming_accuracy, scene_captions
from geochange.trainer.preparation import LEAST_SCORE, PreparedTraining
from geochange.trainer.pretrained import DONE, is_done
from geochange.trainer.recipe import WITH_OWN_CLIP, fabric_devices_of
from geochange.training.data.scenes import (
    TEMPLATES,
    LabelledScenes,
    SceneLoader,
    caption_loss,
    caption_targets,
    read_scenes,
)
from geochange.training.lr_schedule import learning_rate, parameter_groups
from geochange.training.training_state import OptimizerSettings, TrainingState

STAGE = "align"
MIXED_SHARE = 0.85
"""The share of steps with mixed images; the last steps use unmixed ones."""

SCENE_PX = 256
"""The side of scenes in memory. Crops are taken from them."""


def pretrain_clip(prepared: PreparedTraining, watch: Watch) -> None:
    """Train the CLIP from which a training starts, if it needs one and has none yet.

    The CLIP is saved regularly, and resumed from its file. Raises InputError if there are no scenes.
    """
    file, options = prepared.own_clip, prepared.options
    if file is None or options.network.start not in WITH_OWN_CLIP or is_done(file):
        return
    alignment = ClipPretraining(options, prepared.root, file)
    make_folder(file.parent)
    alignment.learn(watch)


class ClipPretraining:
    """A small CLIP in training, its scenes and its progress."""

    def __init__(self, options: TrainOptions, root: Path, file: Path) -> None:
        self.options, self.scenes, self.file = options, options.scenes, file
        self.judged = read_scenes(root / self.scenes.folder, self.scenes.size, kept_out=True)
        shown = read_scenes(root / self.scenes.folder, SCENE_PX, kept_out=False)
        self.captions = scene_captions(shown.classes)
        variant = find_variant(options.network.variant)
        self.aligner = Aligner(variant, self.scenes.size, options.seed)
        self.training_state = self._new_training_state()
        self.lessons = self._scene_loader(shown, variant.options.text)

    def _scene_loader(self, shown: LabelledScenes, text: TextOptions) -> SceneLoader:
        s, places = self.scenes, text.places + text.contexts
        written = [[template.format(c) for c in self.captions] for template in TEMPLATES]
        return SceneLoader(
            scenes=shown,
            tokens=[caption_tokens(captions, places) for captions in written],
            targets=caption_targets(shown.classes, self.captions, s.smoothing),
            batch=s.batch,
            side_px=s.size,
            small_steps=s.small * s.steps,
            mixing=s.mix,
            mixed_steps=MIXED_SHARE * s.steps,
            seed=self.options.seed,
        )

    def _new_training_state(self) -> TrainingState:
        s = self.scenes
        rate = partial(
            learning_rate,
            base=s.lr,
            warmup_steps=min(s.warmup_steps, s.steps - 1),
            warmup_factor=1e-3,
            total_steps=s.steps,
            power=1.0,
        )
        device = replace(fabric_devices_of(self.options), devices=1, nodes=1)
        fabric = device.fabric()
        self.aligner.to(fabric.device)
        course = OptimizerSettings(caption_loss, rate, (0.9, 0.98), 1.0, s.ema, self.options.seed)
        groups = parameter_groups(self.aligner, s.weight_decay)
        return TrainingState(fabric, self.aligner, groups, course)

    def learn(self, watch: Watch) -> None:
        """Take the remaining steps. The file holds the last validated state."""
        first = self._resume()
        told = ""
        for step in range(first, self.scenes.steps):
            loss = self.training_state.learn(step, [self.lessons[step]])
            if (step + 1) % self.scenes.every == 0 or step + 1 == self.scenes.steps:
                judged = self.validate()
                self._keep(step + 1, judged)
                told = f", first {judged.first:.3f}, of three {judged.among_three:.3f}"
            watch(STAGE, step + 1, self.scenes.steps, f"loss {loss:.3f}{told}")

    def validate(self) -> NamingAccuracy:
        """How well held-out images are named, by the plainest name of each class."""
        told = (self.judged.pictures, self.lessons.tokens[0], self.scenes.batch)
        logits = caption_logits(self.training_state.best_module, *told)
        return naming_accuracy(logits, self.captions, self.judged)

    def _keep(self, step: int, judged: NamingAccuracy) -> None:
        tensors = {
            n: x.detach().cpu() for n, x in self.training_state.best_network.state_dict().items()
        }
        facts: dict[str, Any] = {"step": step, DONE: step == self.scenes.steps}
        facts |= {"first": judged.first, "among_three": judged.among_three}
        facts[LEAST_SCORE] = judged.least_score
        write_clip(self.file, tensors, ResumeState(self.training_state.state(), facts))

    def _resume(self) -> int:
        if not self.file.is_file():
            return 0
        memory = read_resume_state(self.file)
        self.training_state.best_network.load_state_dict(dict(read_clip(str(self.file)).tensors))
        self.training_state.restore(memory.tensors)
        return int(memory.facts["step"])
