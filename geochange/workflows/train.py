"""The workflow of `train`: checks, names, trains, validates, keeps the best and calibrates."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from geochange.config import TrainOptions
from geochange.config.yaml_files import read_options
from geochange.errors import OptionError
from geochange.files.output_paths import make_folder
from geochange.interrupt import defer_signals
from geochange.models.changeclip.network import ChangeClip
from geochange.models.learning.feature_noise import collate_with_noise
from geochange.models.learning.labelled_batch import LabelledBatch
from geochange.models.learning.trainable import TrainableChangeClip, initial_network
from geochange.models.prompts import Names
from geochange.models.weights.checkpoint import read_card, read_checkpoint
from geochange.models.weights.model_card import Card
from geochange.progress import Watch, no_watch, with_note
from geochange.trainer.checkpoint_to_resume import BEST
from geochange.trainer.checkpoints import CheckpointKeeper, calibrate
from geochange.trainer.clip_pretraining import pretrain_clip
from geochange.trainer.land_cover_pretraining import pretrain_land
from geochange.trainer.preparation import PreparedTraining, prepare, with_training_option_names
from geochange.trainer.recipe import (
    augmentation_of,
    batch_share_of,
    fabric_devices_of,
    loader_processes,
    mlflow_of,
    network_start_of,
    optimizer_settings_of,
)
from geochange.trainer.semantic.heads import is_steady
from geochange.trainer.validation import ValidationResult, Validator, spread_numbers
from geochange.training.contact_sheet import write_sheet
from geochange.training.data.loader import ChipDataset, Loader
from geochange.training.fabric_devices import Fabric, is_first_process
from geochange.training.journals.journal import Journal, open_journals
from geochange.training.lr_schedule import parameter_groups
from geochange.training.training_state import TrainingState


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    figures, threshold, temperature: from the card of the best checkpoint.
    waiting: share of the time that the network waited for chips. first: whether this is the first of
    all processes, which prints the result. already: whether the training was complete before.
    """

    best: Path
    steps: int
    figures: Mapping[str, float]
    threshold: float
    temperature: float
    seconds: float
    waiting: float
    first: bool
    already: bool = False


def train(
    options: TrainOptions | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    watch: Watch = no_watch,
) -> Trained:
    """Train ChangeCLIP on labelled chips. Checkpoints, measures and pictures are written to `out`.

    options: the options, or a YAML file of them such as those in configs/. settings: values that
    override those of the file, by dotted names: {"data.root": "chips", "network.start": "model.pth"}.

    With `resume`, an interrupted training in `out` continues and ends with the same weights. A complete
    training is left unchanged. Raises GeochangeError before the first step for inputs that cannot be
    used, and RunError if the training diverges.
    """
    began = time.monotonic()
    if not isinstance(options, TrainOptions):
        options = read_options(TrainOptions, Path(options), settings or {})
    elif settings:
        raise OptionError("settings override a file of options; change the options themselves")
    with with_training_option_names():
        prepared = prepare(options, Path(out), resume)
        if prepared.options.land.alone:
            return _land_alone(prepared, watch, began)
        prints = prepared.check_chips(watch) if is_first_process() else {}
    if prepared.finished:
        return _training_result(prepared, began, is_first_process(), already=True)
    if is_first_process():
        pretrain_clip(prepared, watch)
        pretrain_land(prepared, watch)
        prepared.split_names(watch)
    fabric = fabric_devices_of(options).fabric()
    training = Training(prepared, fabric, watch if fabric.is_global_zero else no_watch, prints)
    training.learn()
    training.calibrate()
    trained = _training_result(prepared, began, fabric.is_global_zero)
    return replace(trained, waiting=training.loader.waiting.share)


def _land_alone(prepared: PreparedTraining, watch: Watch, began: float) -> Trained:
    """Teach tower and land head, and nothing else."""
    file, already = prepared.land, prepared.land_is_learnt
    assert file is not None  # of a network that starts from ImageNet
    if is_first_process():
        pretrain_land(prepared, watch)
    return Trained(
        best=file,
        steps=prepared.options.land.steps,
        figures=read_checkpoint(file).card.metrics,
        threshold=0.5,
        temperature=1.0,
        seconds=time.monotonic() - began,
        waiting=0.0,
        first=is_first_process(),
        already=already,
    )


def _training_result(
    prepared: PreparedTraining, began: float, first: bool, already: bool = False
) -> Trained:
    """The result, from the card of the best checkpoint. One that was there already is read whole."""
    best = prepared.out / BEST
    card = read_checkpoint(best).card if already else read_card(best)
    return Trained(
        best=best,
        steps=prepared.options.optim.steps,
        figures=card.metrics,
        threshold=card.threshold,
        temperature=card.temperature,
        seconds=time.monotonic() - began,
        waiting=0.0,
        first=first,
        already=already,
    )


class Training:
    """A training in progress: its state, its data loader and its validation.

    data: hashes of the chips of each split.
    """

    def __init__(
        self, prepared: PreparedTraining, fabric: Fabric, watch: Watch, data: Mapping[str, str]
    ) -> None:
        self.options, self.out = prepared.options, prepared.out
        self.fabric, self.watch = fabric, watch
        taught, examined = prepared.split_names(watch)
        self.training_state, card = _training_state(prepared, fabric)
        self.keeper = CheckpointKeeper(prepared, self.training_state, card, data)
        self.reached = self.keeper.resume()
        self.began = time.monotonic() - self.reached.seconds
        self.loader = self._loader(prepared, taught)
        self.examiner = self._examiner(prepared, examined)

    def _loader(
        self, prepared: PreparedTraining, names: Sequence[tuple[Names, Names]]
    ) -> Loader[Any, LabelledBatch]:
        options, fabric = self.options, self.fabric
        seed, augmentation = options.seed, augmentation_of(options, prepared.bands)
        return Loader(
            ChipDataset(prepared.train, names, augmentation, seed),
            partial(
                collate_with_noise,
                places=self.keeper.card.options.text.places,
                share=options.network.feature_noise,
            ),
            batch_share_of(options, fabric.global_rank, fabric.world_size),
            loader_processes(options, fabric),
            pin=fabric.device.type == "cuda",
        )

    def _examiner(
        self, prepared: PreparedTraining, names: Sequence[tuple[Names, Names]]
    ) -> Validator:
        validation, fabric = self.options.validation, self.fabric
        if self.options.prompts.mode == "published":
            names = [(before, before) for before, _ in names]
        numbers = range(fabric.global_rank, len(prepared.val), fabric.world_size)
        shown = spread_numbers(len(prepared.val), validation.sheet)
        land = self.keeper.beside.build_land() if self.keeper.beside else None
        bands = self.keeper.card.options.bands
        return Validator(
            prepared.val, names, numbers, shown, validation.batch, land, bands, prepared.classes
        )

    def learn(self) -> None:
        """Take all remaining steps, with validation.

        Raises KeyboardInterrupt after Ctrl-C or another signal to end, once the current step is done and
        saved. Raises RunError if the training diverges.
        """
        steps, every = self.options.optim.steps, self.options.validation.every
        with self._journal() as journal, defer_signals(self.fabric.world_size == 1) as asked:
            for step, lessons in self.loader.steps(self.reached.step, steps):
                loss = self.training_state.learn(step, lessons)
                self._count(step + 1, loss)
                self._tell(journal)
                if (step + 1) % every == 0 or step + 1 == steps:
                    self._validate(journal)
                elif asked.is_set():
                    self.keeper.keep(self.reached, {}, best=False)
                asked.raise_if_set()

    def _journal(self) -> AbstractContextManager[Journal | None]:
        if not self.fabric.is_global_zero:
            return nullcontext()
        make_folder(self.out)
        more = self.examiner.extra_figures
        return open_journals(self.out, self.reached.step, mlflow_of(self.options), more)

    def _count(self, step: int, loss: float) -> None:
        losses, seconds = (*self.reached.losses, loss), time.monotonic() - self.began
        self.reached = replace(self.reached, step=step, losses=losses, seconds=seconds)

    def _tell(self, journal: Journal | None) -> None:
        """Report the loss, and write it every `log_every` steps."""
        step, steps, losses = self.reached.step, self.options.optim.steps, self.reached.losses
        mean = sum(losses) / len(losses)
        best = f", best {self.options.validation.best} {self.reached.best:.3f}"
        self.watch("learn", step, steps, f"loss {mean:.4f}{best if self.reached.best >= 0 else ''}")
        if step % self.options.log_every and step != steps:
            return
        rate, seconds = self.training_state.settings.rate(step - 1), self.reached.seconds
        self.reached = replace(self.reached, losses=())
        values = {"lr": rate, "loss": mean, "seconds": seconds}
        if journal is not None:
            journal.note(step, values)

    def _validate(self, journal: Journal | None) -> None:
        """Validate the network and save it; save it also as the best if it is."""
        self.training_state.check(self.reached.step)
        verdict = self._examine()
        figures = verdict.figures()
        figure, loss = figures[self.options.validation.best], figures["val_loss"]
        best = self.reached.is_beaten(figure, loss)
        if best:
            self.reached = replace(self.reached, best=figure, best_loss=loss)
        if journal is None:
            return
        self.keeper.keep(self.reached, figures, best)
        journal.note(self.reached.step, figures)
        if verdict.rows:
            sheets = self.out / "sheets"
            make_folder(sheets)
            write_sheet(sheets / f"{self.reached.step:07d}.png", verdict.rows)

    def _examine(self) -> ValidationResult:
        watch, device = self.watch, str(self.fabric.device)
        network = cast(ChangeClip, self.training_state.best_network)
        report = with_note(watch, f"step {self.reached.step}")
        own = self.examiner.examine(network, self.keeper.card, device, report)
        return own.over(self.fabric)

    def calibrate(self) -> None:
        """Fit temperature and threshold of the best and the last checkpoint."""
        if self.fabric.is_global_zero:
            self.keeper.complete()
        for file in (self.keeper.last, self.keeper.best):
            self.fabric.barrier()
            self.training_state.best_network.load_state_dict(dict(read_checkpoint(file).tensors))
            verdict = self._examine()
            if self.fabric.is_global_zero:
                calibrate(file, verdict, self.options.validation.most_false)
        self.fabric.barrier()


def _training_state(prepared: PreparedTraining, fabric: Fabric) -> tuple[TrainingState, Card]:
    options = prepared.options
    start = network_start_of(
        options, prepared.own_clip, prepared.land, prepared.bands, prepared.classes
    )
    network, card = initial_network(start)
    learner = TrainableChangeClip(
        network,
        frozen=options.network.batch_norm == "frozen",
        together=options.network.batch_norm_dates == "together",
        steady=is_steady(options, prepared.start),
        semantic=options.is_semantic,
    )
    if options.network.batch_norm == "synced":
        learner.synchronise()
    learner.prepare_on(fabric.device)
    groups = parameter_groups(learner, options.optim.weight_decay)
    return TrainingState(fabric, learner, groups, optimizer_settings_of(options)), card
