"""Second opinion: the pairs from which a land network learns its opinion of change.

See `geochange.models.learning.second_opinion_training`, which learns it. No pair has a label that
somebody drew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.models.changeclip.network import STRIDE
from geochange.models.learning.second_opinion_training import (
    SecondOpinionOptions,
    train_second_opinion,
)
from geochange.models.weights.checkpoint import Checkpoint
from geochange.progress import Watch, no_watch
from geochange.training.planting import Library, planted_chips, read_library, unchanged_chips

KINDS = ("near", "far", "unchanged")
DEFAULT_OPTIONS = SecondOpinionOptions()


def with_second_opinion(
    checkpoint: Checkpoint,
    root: Path,
    options: SecondOpinionOptions = DEFAULT_OPTIONS,
    watch: Watch = no_watch,
) -> Checkpoint:
    """The checkpoint with an opinion of its land network, learnt from the pictures in `root`.

    root: what `geochange train configs/default.yaml` learns from. Raises InputError where there are
    no such pictures.
    """
    taught, judged = (read_library(root, kept_out=kept_out) for kept_out in (False, True))
    if not (unchanged_chips(taught, 1) and unchanged_chips(judged, 1)):
        raise InputError(
            f"{root}: --weigh needs places seen twice from the air, of cities that are kept out and of "
            "others; see docs/default-network.md"
        )
    pairs = {kind: _pairs(taught, kind, options) for kind in KINDS}
    return train_second_opinion(
        checkpoint, pairs, unchanged_chips(judged, options.pairs), options, watch
    )


def _pairs(library: Library, kind: str, options: SecondOpinionOptions) -> Iterator[Chip]:
    if kind == "unchanged":
        yield from _crop_to_smallest(unchanged_chips(library, options.pairs))
        return
    yield from planted_chips(library, kind == "far", options.pairs, (options.seed + 9) * 1_000_000)


def _crop_to_smallest(chips: list[Chip]) -> Iterator[Chip]:
    """The first rows and columns of each, as many as all of them have."""
    height, width = (min(chip.shape[axis] for chip in chips) // STRIDE * STRIDE for axis in (0, 1))
    for chip in chips:
        part = slice(height), slice(width)
        assert chip.label is not None
        yield Chip(chip.before[part], chip.after[part], chip.valid[part], chip.label[part])
