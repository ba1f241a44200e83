"""Class heads: what semantic heads need of the options, the initial network and the chips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from geochange.config import TrainOptions
from geochange.dataset.truth.classified_chips import ClassifiedChips, need_classes
from geochange.errors import InputError, OptionError
from geochange.models.changeclip.variants import find_variant, with_land_classes
from geochange.models.weights.model_card import MOST_CLASSES, Card
from geochange.trainer.recipe import SCENES
from geochange.training.data.chip_source import ChipSource


def check_heads(options: TrainOptions, start: Card | None) -> None:
    """Refuse semantic heads for a network that has none, before any chip is read.

    start: the card of the network that is started from, if any. Raises OptionError.
    """
    if not options.is_semantic:
        return
    if options.land.alone:
        raise OptionError(
            "land.alone: learns the classes of labelled pictures; set network.heads change"
        )
    if options.network.feature_noise:
        raise OptionError(
            "network.feature_noise: plants changes whose classes nobody knows; set it to 0 with "
            "network.heads semantic"
        )
    if options.network.start == SCENES:
        raise OptionError(
            "network.start scenes: teaches names of whole pictures; take imagenet, or changeclip-small"
        )
    if start is None or start.options.land is None:
        with_land_classes(find_variant(options.network.variant).options, ("a", "b"))


def classified_splits(
    root: Path, splits: Mapping[str, ChipSource]
) -> tuple[ClassifiedChips, ClassifiedChips]:
    """Training and validation chips with their classes. splits: both by name, training first.

    Raises InputError where labels tell no classes, or other ones in the other split.
    """
    taught, judged = (need_classes(source, f"{root}, {name}") for name, source in splits.items())
    if taught.table != judged.table:
        one, other = splits
        raise InputError(
            f"{root}: {one} has the classes {', '.join(taught.table.names)}, and {other} "
            f"{', '.join(judged.table.names)}; label both alike"
        )
    if not 2 <= len(taught.table.names) <= MOST_CLASSES:
        raise InputError(f"{root}: has {len(taught.table.names)} classes; give 2 to {MOST_CLASSES}")
    return taught, judged


def is_steady(options: TrainOptions, start: Card | None) -> bool:
    """Whether image tower and land head stay as they are.

    Labels of change alone would unteach the land classes of the network that is started from.
    """
    has_classes = start is not None and start.options.land is not None
    return options.network.steady or (has_classes and not options.is_semantic)
