"""The scorers of a detector: the CLIP that prompts its network, and the place head that names places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geochange.errors import InputError, OptionError
from geochange.models.clip_scorer import ClipScorer, build_scorer
from geochange.models.place_scorer import PlaceScorer
from geochange.models.prompts import Names, check_names
from geochange.models.weights.checkpoint import DEFAULT_CLIP, Checkpoint, read_clip

if TYPE_CHECKING:
    from geochange.models.changeclip.land_network import LandNetwork
    from geochange.models.detector import DetectorSpec


def build_clip_scorer(spec: DetectorSpec, checkpoint: Checkpoint) -> ClipScorer | None:
    """The CLIP of a spec with the names of its vocabulary; None with fixed prompts.

    Raises InputError, and OptionError for bands that CLIP cannot see.
    """
    card = checkpoint.card
    if (spec.prompts or card.prompts) == "fixed":
        return None
    if card.options.bands and not card.options.bands.rgb:
        raise OptionError(
            f"{spec.model}: CLIP needs red, green and blue to name classes, and its bands have "
            "none; give --prompts fixed"
        )
    own = None if spec.clip else checkpoint.own_clip()
    clip = own or read_clip(spec.clip or DEFAULT_CLIP)
    return build_scorer(clip.tensors, clip.quickgelu, _names(spec, checkpoint))


def place_scorer(
    spec: DetectorSpec, clip: ClipScorer | None, land: LandNetwork | None
) -> PlaceScorer | None:
    """What names places in the text space of the checkpoint's own CLIP; None without a place head."""
    if land is None or land.place is None or clip is None or spec.clip is not None:
        return None
    return PlaceScorer(land, clip.classes)


def _names(spec: DetectorSpec, checkpoint: Checkpoint) -> Names:
    """The names from which CLIP chooses. Raises InputError if the card has too few."""
    try:
        return check_names(spec.vocabulary or checkpoint.card.vocabulary)
    except InputError as error:
        raise InputError(f"{spec.model}: {error}; give other names with --vocabulary") from error
