"""Place scores: of any vocabulary, where change is likely, apart from the scores of prompts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL_LITE

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.models.changeclip.clip_alignment import Aligner
from geochange.models.changeclip.land_cover_network import LandNetwork, LandNetworkOptions
from geochange.models.changeclip.network import ChangeClip
from geochange.models.changeclip.variants import VARIANTS
from geochange.models.clip_scorer import square
from geochange.models.detector import DetectorSpec
from geochange.models.inference.predict import run_model
from geochange.models.place_head import PlaceOptions, pool
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.convert import for_clip, join_land_network
from geochange.models.weights.model_card import OWN_CLIP, Card

pytestmark = pytest.mark.slow

TINY = VARIANTS["tiny"]
SIDE = 64
PLACE = PlaceOptions(side=32, hidden=6, least_score=0.25)


def placed(embed: int = TINY.options.visual.embed) -> Checkpoint:
    torch.manual_seed(3)
    assert SMALL_LITE.land is not None
    visual = replace(SMALL_LITE.visual, embed=embed)
    land = LandNetworkOptions(visual, SMALL_LITE.land, place=PLACE)  # type: ignore[arg-type]
    card = Card(TINY.options, clip=OWN_CLIP, land=land, least_score=0.8)
    network, clip = ChangeClip(TINY.options), Aligner(TINY, SIDE)
    tensors = LandNetwork(land).state_dict()
    return Checkpoint(card, network.state_dict(), clip.network.state_dict(), tensors)


def chip(seed: int) -> Chip:
    draw = np.random.default_rng(seed)
    before, after = (draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(2))
    return Chip(before, after, np.ones((SIDE, SIDE), np.bool_))


def test_the_mean_and_the_spread_of_each_channel_are_read() -> None:
    maps = [torch.rand(2, 3, 8, 8), torch.rand(2, 5, 4, 4)]
    parts = [*(m.mean((2, 3)) for m in maps), *(m.std((2, 3), correction=0) for m in maps)]
    torch.testing.assert_close(pool(maps), torch.cat(parts, dim=1))


def test_places_are_scored_where_change_is_likely() -> None:
    whole = placed()
    bare = replace(whole, card=replace(whole.card, land=None), land={})
    model = DetectorSpec("", precision="float32", likely=1e-6).of(whole)
    found, plain = (run_model(m, [chip(1)], 1, "cpu") for m in (model, DetectorSpec("").of(bare)))
    quiet = run_model(DetectorSpec("", likely=1 - 1e-6).of(whole), [chip(1)], 1, "cpu")
    assert np.isnan(quiet.scores).all()
    # The prompts, and so the logits, are those of the network without a place head.
    assert model.dtype == torch.float32
    reference = run_model(DetectorSpec("", precision="float32").of(bare), [chip(1)], 1, "cpu")
    np.testing.assert_array_equal(found.logits, reference.logits)
    assert model.place_scorer is not None
    picture = torch.from_numpy(chip(1).after)[None].permute(0, 3, 1, 2)
    expected = model.place_scorer.of_squares(square(picture, PLACE.side))
    np.testing.assert_allclose(found.scores[0, 1], expected[0].numpy(), atol=1e-6)
    assert found.scores.sum(axis=2) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(found.scores, plain.scores, atol=1e-3)


def test_another_clip_or_none_names_as_before() -> None:
    model = DetectorSpec("", prompts="fixed").of(placed())
    assert not model.scores_places
    assert model.naming.least_score == 0.8


def refused(tmp_path: Path, checkpoint: Checkpoint) -> str:
    file = tmp_path / "odd.safetensors"
    write_checkpoint(file, checkpoint)
    with pytest.raises(InputError) as error:
        read_checkpoint(file)
    return str(error.value)


def test_another_text_space_is_refused(tmp_path: Path) -> None:
    assert "its CLIP of" in refused(tmp_path, placed(embed=24))


def test_a_place_head_without_a_clip_is_refused(tmp_path: Path) -> None:
    whole = placed()
    alone = replace(whole, card=replace(whole.card, clip=""), clip={})
    assert "there is none" in refused(tmp_path, alone)


@pytest.mark.parametrize(
    "odd", [{"side": 33}, {"side": 4096}, {"hidden": -1}, {"least_score": 2.0}]
)
def test_hostile_sizes_are_refused(odd: dict[str, object]) -> None:
    values = json.loads(placed().card.to_json())
    values["land"]["place"] |= odd
    with pytest.raises(InputError, match="card"):
        Card.from_json(json.dumps(values))


def test_joining_keeps_a_place_head_beside_its_own_clip_alone(tmp_path: Path) -> None:
    ours, other, out = (tmp_path / f"{name}.safetensors" for name in ("ours", "other", "out"))
    whole = placed()
    write_checkpoint(ours, whole)
    clip = {name: tensor + 1 for name, tensor in whole.clip.items()}
    write_checkpoint(other, replace(whole, clip=clip))
    card = join_land_network(ours, ours, out)
    assert card == whole.card
    without = join_land_network(other, ours, out)
    assert without.land is not None
    assert without.land.place is None
    assert not [name for name in read_checkpoint(out).land if name.startswith("place.")]


def test_without_the_clip_of_its_texts_a_place_head_goes(tmp_path: Path) -> None:
    """So a training with fixed prompts, which keeps no CLIP, writes a file that can be read."""
    whole = placed()
    assert for_clip(whole, dict(whole.clip)) is whole
    beside = for_clip(whole, {})
    assert beside.card.land == replace(whole.card.land, place=None)  # type: ignore[type-var]
    file = tmp_path / "fixed.safetensors"
    card = replace(beside.card, clip="", prompts="fixed")
    write_checkpoint(file, replace(beside, card=card, clip={}))
    assert read_checkpoint(file).card == card
