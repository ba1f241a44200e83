"""A place head learns scenes in the text space of a CLIP; nothing else in the checkpoint changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from changeclip_cases import SMALL_LITE
from unlabelled_pictures import make_pictures

from geochange.errors import InputError
from geochange.models.changeclip.clip_alignment import Aligner
from geochange.models.changeclip.land_cover_network import LandNetworkOptions, land_tensors
from geochange.models.changeclip.network import ChangeClip
from geochange.models.changeclip.variants import VARIANTS
from geochange.models.detector import DetectorSpec
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.model_card import OWN_CLIP, Card
from geochange.trainer.joined.place_scenes import PlaceTrainingOptions, with_place_head

pytestmark = pytest.mark.slow

TINY = VARIANTS["tiny"]
HOW = PlaceTrainingOptions(side=64, views=1, ground=4, steps=60, batch=(8, 4))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def joined() -> Checkpoint:
    torch.manual_seed(3)
    network, lite, clip = ChangeClip(TINY.options), ChangeClip(SMALL_LITE), Aligner(TINY, 64)
    assert SMALL_LITE.land is not None
    land = LandNetworkOptions(SMALL_LITE.visual, SMALL_LITE.land)  # type: ignore[arg-type]
    card = Card(TINY.options, clip=OWN_CLIP, land=land, least_score=0.8)
    tensors = land_tensors(lite.state_dict())
    return Checkpoint(card, network.state_dict(), clip.network.state_dict(), tensors)


@pytest.fixture(scope="module")
def placed(joined: Checkpoint, data: Path) -> Checkpoint:
    return with_place_head(joined, data, HOW)


def test_the_rest_of_the_checkpoint_stays(joined: Checkpoint, placed: Checkpoint) -> None:
    for part in ("tensors", "clip", "land"):
        for name, tensor in getattr(joined, part).items():
            assert torch.equal(getattr(placed, part)[name], tensor)
    new = placed.land.keys() - joined.land.keys()
    assert all(name.startswith("place.") for name in new)
    assert placed.card.least_score == joined.card.least_score


def test_its_names_are_said_by_its_own_score(placed: Checkpoint, tmp_path: Path) -> None:
    assert 0 <= placed.card.metrics["places first"] <= placed.card.metrics["places among three"]
    write_checkpoint(tmp_path / "placed.safetensors", placed)
    read = read_checkpoint(tmp_path / "placed.safetensors")
    assert read.card == placed.card
    model = DetectorSpec("", precision="float32").of(read)
    assert model.scores_places
    assert read.card.land is not None
    assert read.card.land.place is not None
    assert model.naming.least_score == read.card.land.place.least_score


def test_the_same_pictures_teach_the_same_again(placed: Checkpoint, data: Path) -> None:
    again = with_place_head(placed, data, HOW)
    for name, tensor in placed.land.items():
        torch.testing.assert_close(again.land[name], tensor)


def test_what_it_needs_is_asked_for(joined: Checkpoint, data: Path) -> None:
    for lacking in ({"land": None}, {"clip": ""}):
        card = replace(joined.card, **lacking)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="land network"):
            with_place_head(replace(joined, card=card), data, HOW)
