"""What a network and a land network beside it learn together: an opinion of change, names of places."""

from __future__ import annotations

from pathlib import Path

from geochange.models.weights.checkpoint import Checkpoint
from geochange.progress import Watch, no_watch
from geochange.trainer.joined.place_scenes import with_place_head
from geochange.trainer.joined.second_opinion_pairs import with_second_opinion


def learn_joined(
    checkpoint: Checkpoint,
    opinion: Path | None = None,
    places: Path | None = None,
    watch: Watch = no_watch,
) -> Checkpoint:
    """The checkpoint with a second opinion and a place head, each from a folder of pictures.

    None leaves the one out. Raises InputError as `with_second_opinion` and `with_place_head`.
    """
    if opinion is not None:
        checkpoint = with_second_opinion(checkpoint, opinion, watch=watch)
    return checkpoint if places is None else with_place_head(checkpoint, places, watch=watch)
