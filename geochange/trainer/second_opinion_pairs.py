"""Weighing: the pairs from which a land network learns its opinion of change.

See `geochange.models.weighing`, which learns it. No pair has a label that somebody drew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.models.changeclip.network import STRIDE
from geochange.models.weighing import Weighing, weigh
from geochange.models.weights.checkpoint import Checkpoint
from geochange.progress import Watch, unwatched
from geochange.training.planting import Library, planted, read_library, unchanged

KINDS = ("near", "far", "unchanged")
USUAL = Weighing()


def weighed(
    checkpoint: Checkpoint, root: Path, how: Weighing = USUAL, watch: Watch = unwatched
) -> Checkpoint:
    """The checkpoint with an opinion of its land network, learnt from the pictures in `root`.

    root: what `geochange train configs/default.yaml` learns from. Raises InputError where there are
    no such pictures.
    """
    taught, judged = (read_library(root, kept_out=kept_out) for kept_out in (False, True))
    if not (unchanged(taught, 1) and unchanged(judged, 1)):
        raise InputError(
            f"{root}: --weigh needs places seen twice from the air, of cities that are kept out and of "
            "others; see docs/default-network.md"
        )
    pairs = {kind: _pairs(taught, kind, how) for kind in KINDS}
    return weigh(checkpoint, pairs, unchanged(judged, how.pairs), how, watch)


def _pairs(library: Library, kind: str, how: Weighing) -> Iterator[Chip]:
    if kind == "unchanged":
        yield from _alike(unchanged(library, how.pairs))
        return
    yield from planted(library, kind == "far", how.pairs, (how.seed + 9) * 1_000_000)


def _alike(chips: list[Chip]) -> Iterator[Chip]:
    """The first rows and columns of each, as many as all of them have."""
    height, width = (min(chip.shape[axis] for chip in chips) // STRIDE * STRIDE for axis in (0, 1))
    for chip in chips:
        part = slice(height), slice(width)
        assert chip.label is not None
        yield Chip(chip.before[part], chip.after[part], chip.valid[part], chip.label[part])
