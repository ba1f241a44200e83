"""Preparation: loads and checks everything that `train` needs before the first step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from geochange.config import TrainOptions
from geochange.dataset import check_split, find_root, open_split
from geochange.dataset.truth.classified_chips import ClassifiedChips
from geochange.errors import InputError, OptionError
from geochange.land_cover import ClassTable
from geochange.models.bands.input_bands import InputBands
from geochange.models.changeclip.clip_alignment import clip_shape
from geochange.models.changeclip.variants import find_variant
from geochange.models.learning.trainable import IMAGENET, initial_card
from geochange.models.prompts import FIXED_NAMES, Names
from geochange.models.weights.checkpoint import DEFAULT_CLIP, read_own_clip
from geochange.models.weights.locate import clip_file
from geochange.models.weights.model_card import Card
from geochange.models.weights.resume_state import read_facts
from geochange.models.weights.vocabulary_file import read_vocabulary
from geochange.progress import Watch, with_note
from geochange.trainer.checkpoint_to_resume import (
    BEST,
    CLIP,
    LAST,
    check_same_options,
    find_resume_point,
)
from geochange.trainer.chip_names import name_chips
from geochange.trainer.input_bands import (
    RGB_CHOICE,
    BandChoice,
    RgbView,
    check_band_options,
    choose_bands,
    input_bands,
    refuse_names_without_rgb,
)
from geochange.trainer.planted_names import PlantedNames, name_planted_pairs
from geochange.trainer.pretrained import is_done
from geochange.trainer.recipe import (
    WITH_OWN_CLIP,
    fabric_devices_of,
    is_pretrained_here,
    mlflow_of,
    names_nothing,
    network_start_of,
    optimizer_settings_of,
    planted_source_of,
)
from geochange.trainer.semantic.heads import check_heads, classified_splits
from geochange.training.data.chip_source import ChipSource
from geochange.training.data.land_cover_pictures import check_land
from geochange.training.planting import PlantedSource

LAND = "land.safetensors"

PLANTED = "planted"
"""The layout of a data root with unlabelled images, from which pairs are made."""

LEAST_SCORE = "least_score"
"""The fact of a CLIP with the least score for its names."""

CALIBRATED = "calibrated"
"""The fact of a checkpoint that is complete."""

TRAINING_OPTION_NAMES = {"--bands": "data.bands", "--layout": "data.layout"}
"""Options of other commands, and their names in the options of a training."""


@dataclass(frozen=True)
class PreparedTraining:
    """A training whose data and output folder exist.

    resume: the checkpoint to resume from, if wanted and there. start: the card of the ChangeCLIP
    that the network starts as, if any.
    """

    options: TrainOptions
    out: Path
    root: Path
    train: ChipSource
    val: ChipSource
    resume: Path | None
    start: Card | None = None
    choice: BandChoice = RGB_CHOICE

    @cached_property
    def bands(self) -> InputBands | None:
        """The bands with their statistics, of the training chips; None for RGB in 0-255.

        Raises OptionError and InputError.
        """
        bands = input_bands(self.choice, self.train, self.start)
        refuse_names_without_rgb(self.options.prompts.mode, bands)
        return bands

    def check_chips(self, watch: Watch) -> dict[str, str]:
        """Open every chip once; returns the fingerprint of the data.

        Raises InputError for a chip that cannot be used, OptionError on resume with other chips.
        """
        data = self.options.data
        splits = {"train": (data.train, self.train), "val": (data.val, self.val)}
        prints = {
            role: source.fingerprint()
            if isinstance(source, PlantedSource)
            else check_split(source, f"{self.root}, {split}", with_note(watch, split))
            for role, (split, source) in splits.items()
        }
        began = read_facts(self.resume).get("data", {}) if self.resume else {}
        for role, told in began.items():
            if prints.get(role) != told:
                raise OptionError(
                    f"{self.resume} was begun with other chips than those in {self.root}, "
                    f"{splits[role][0]}: give the same --data, or train into another --out"
                )
        return prints

    def names(self, split: str, source: ChipSource, watch: Watch) -> Sequence[tuple[Names, Names]]:
        """The class names of the chips of a split; CLIP is asked unless they are stored."""
        prompts = self.options.prompts
        if prompts.mode == "fixed":
            return [(FIXED_NAMES, FIXED_NAMES)] * len(source)
        clip = prompts.clip or (str(self.own_clip) if self.own_clip else DEFAULT_CLIP)
        progress = with_note(watch, split)
        if self.bands is not None:
            source = RgbView(source, self.bands)
        if isinstance(source, PlantedSource):
            if split not in self._planted:
                self._planted[split] = name_planted_pairs(source, clip, self.vocabulary(), progress)
            return self._planted[split]
        return name_chips(source, self.root, split, clip, self.vocabulary(), progress=progress)

    @cached_property
    def _planted(self) -> dict[str, PlantedNames]:
        """Names of planted pairs by split. They are not stored in a file."""
        return {}

    @cached_property
    def own_clip(self) -> Path | None:
        """The file of the network's own CLIP, pretrained or from the initial model."""
        start = self.options.network.start
        if is_pretrained_here(self.options):
            return self.out / CLIP
        if self.options.is_semantic and (start in WITH_OWN_CLIP or names_nothing(self.options)):
            return None
        file = clip_file(start)[1] if start and start != "clip" and "@" not in start else None
        return file if file and read_own_clip(file) else None

    @property
    def land_start(self) -> Path | None:
        """The file of the start, where a land network is beside it that stays as it is."""
        if self.start is None or self.start.land is None or self.options.is_semantic:
            return None
        return clip_file(str(self.options.network.start))[1]

    @property
    def land(self) -> Path | None:
        """The file of the network with pretrained tower and land head, if there is one."""
        learns_land = self.options.network.start == IMAGENET and is_pretrained_here(self.options)
        return self.out / LAND if learns_land else None

    @property
    def classes(self) -> ClassTable | None:
        """The classes that a semantic network learns; None for a network of change alone."""
        return self.train.table if isinstance(self.train, ClassifiedChips) else None

    @property
    def land_is_learnt(self) -> bool:
        """Whether tower and land head have taken all of their steps."""
        return self.land is not None and is_done(self.land)

    @property
    def finished(self) -> bool:
        """Whether the training is complete."""
        files = (self.out / LAST, self.out / BEST)
        # With a damaged last checkpoint, some steps must be repeated.
        return self.resume == self.out / LAST and all(
            file.is_file() and read_facts(file).get(CALIBRATED) for file in files
        )

    def vocabulary(self) -> Names | None:
        """The class names of a file, or of the initial model; None for the published ones.

        Raises InputError.
        """
        file = self.options.prompts.vocabulary
        if file:
            return read_vocabulary(file)
        return self.start.vocabulary if self.start else None

    def split_names(self, watch: Watch) -> tuple[Sequence[tuple[Names, Names]], ...]:
        """The class names of the training chips, and of the validation chips."""
        data = self.options.data
        return (self.names(data.train, self.train, watch), self.names(data.val, self.val, watch))


def prepare(options: TrainOptions, out: Path, resume: bool) -> PreparedTraining:
    """Find the data and the output folder.

    Raises InputError, OptionError, OutputError, MissingDependencyError.
    """
    check_options(options)
    options, start = _resolved_options(options)
    check_heads(options, start)
    choice = choose_bands(options, start)
    check_band_options(options, choice, start)
    data, last = options.data, find_resume_point(out, resume)
    if last is not None:
        check_same_options(options, last)
    root = find_root(data.root, data.name)
    if options.network.start == IMAGENET and is_pretrained_here(options):
        check_land(root / options.land.folder)
    sources = _sources(options, root, choice)
    if options.is_semantic:
        sources = classified_splits(root, {data.train: sources[0], data.val: sources[1]})
    if (mlflow := mlflow_of(options)) is not None:
        mlflow.open()
    return PreparedTraining(options, out, root, *sources, last, start, choice)


def _sources(
    options: TrainOptions, root: Path, choice: BandChoice
) -> tuple[ChipSource, ChipSource]:
    """The training chips and the validation chips."""
    data = options.data
    if data.layout == PLANTED:
        train, val = (
            planted_source_of(options, root, kept_out=kept_out) for kept_out in (False, True)
        )
        return train, val
    one, two = (
        open_split(root, split, layout=data.layout, bands=choice.numbers, pixels=choice.pixels)
        for split in (data.train, data.val)
    )
    return one, two


def _resolved_options(options: TrainOptions) -> tuple[TrainOptions, Card | None]:
    """The options with the values of the initial model, and its card.

    Raises InputError, or OptionError if it is not a ChangeCLIP.
    """
    prompts, card = options.prompts, initial_card(network_start_of(options))
    if prompts.mode is not None:
        return options, card
    if card is None:
        raise OptionError(
            "prompts.mode null uses that of the initial model, but none is given: add --from MODEL, a "
            "checkpoint of ChangeCLIP"
        )
    settled = prompts.model_copy(update={"mode": card.prompts})
    return options.model_copy(update={"prompts": settled}), card


@contextmanager
def with_training_option_names() -> Iterator[None]:
    """Use the option names of a training in errors."""
    try:
        yield
    except (InputError, OptionError) as error:
        told = str(error)
        for theirs, ours in TRAINING_OPTION_NAMES.items():
            told = told.replace(theirs, ours)
        raise type(error)(told) from error


def check_options(options: TrainOptions) -> None:
    """Refuse missing files and bad options, before anything is loaded.

    Raises InputError, OptionError.
    """
    optimizer_settings_of(options)
    network_start_of(options).check()
    world = fabric_devices_of(options).world()
    if options.batch % world:
        raise OptionError(
            f"optim.batch {options.batch} cannot be divided among {world} devices; "
            f"take a multiple of {world}"
        )
    start, prompts = options.network.start, options.prompts
    if options.land.alone and start != IMAGENET:
        raise OptionError("land.alone: there is no land head to teach; say network.start imagenet")
    if is_pretrained_here(options):
        clip_shape(find_variant(options.network.variant), options.scenes.size)
    if start not in (None, "clip", *WITH_OWN_CLIP):
        clip_file(str(start))
    if prompts.mode != "fixed" and prompts.clip:
        clip_file(prompts.clip)
    if prompts.vocabulary and not Path(prompts.vocabulary).is_file():
        raise InputError(f"prompts.vocabulary {prompts.vocabulary}: no such file")
