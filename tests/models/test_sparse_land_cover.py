"""A land network beside a network of change: carried, looked at where change is likely, and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL_LITE, SMALL_RESNET, pictures
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import save_file

from geochange.chip import Chip
from geochange.cli.main import cli
from geochange.errors import InputError
from geochange.land_cover import CLASSES, NO_LAND_CLASS
from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.changeclip.network import ChangeClip
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import Batch
from geochange.models.inference.predict import predict_land, run_model
from geochange.models.land_cover_logits import NO_CHANGE_LOGIT
from geochange.models.learning.trainable_land import land_logits as see_logits
from geochange.models.sparse_land_cover import SparseLandInference, parts_of
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.convert import convert, join_land_network, mean_checkpoint
from geochange.models.weights.model_card import Card

pytestmark = pytest.mark.slow

SPEC = DetectorSpec("", precision="float32", prompts="fixed")


@pytest.fixture(scope="module")
def lite() -> ChangeClip:
    torch.manual_seed(3)
    made = ChangeClip(SMALL_LITE).eval().requires_grad_(False)
    assert made.land_head is not None
    made.land_head.classify.weight *= 40  # a fresh head is as good as silent
    return made


@pytest.fixture(scope="module")
def joined(lite: ChangeClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joined")
    torch.manual_seed(4)
    small = ChangeClip(SMALL_RESNET).eval().requires_grad_(False)
    small.decode_head.conv_seg.weight *= 40
    files = [folder / f"{name}.safetensors" for name in ("small", "land", "joined")]
    write_checkpoint(files[0], Checkpoint(Card(SMALL_RESNET, threshold=0.4), small.state_dict()))
    write_checkpoint(files[1], Checkpoint(Card(SMALL_LITE), lite.state_dict()))
    join_land_network(files[0], files[1], files[2])
    return files[2]


def detector(joined: Path, **changes: object) -> ChangeClipDetector:
    return replace(SPEC, model=str(joined), **changes).build()


def batch(height: int = 64, width: int = 64) -> Batch:
    before, after = pictures(2, height, width), pictures(2, height, width, seed=1)
    return Batch(before, after, torch.ones(2, height, width, dtype=torch.bool))


def test_it_sees_what_the_land_head_saw(joined: Path, lite: ChangeClip) -> None:
    model, shown = detector(joined), batch(64, 96)
    assert model.land_classes == CLASSES
    assert model.land_inference is not None
    before, after = model.land_inference.classify_all(shown)
    torch.testing.assert_close(before, see_logits(lite, shown.before))
    torch.testing.assert_close(after, see_logits(lite, shown.after))
    assert model.land(batch(48, 70)).shape == (2, 2, 48, 70)
    assert model.land(shown).unique().numel() > 1


def test_change_is_what_it_was_without(joined: Path) -> None:
    alone = joined.with_name("small.safetensors")
    expected = replace(SPEC, model=str(alone)).build().change_logits(batch())
    torch.testing.assert_close(detector(joined).change_logits(batch()), expected)
    torch.testing.assert_close(detector(joined).change_and_land(batch())[0], expected)


def test_it_looks_where_one_pixel_is_likely_to_have_changed(joined: Path) -> None:
    shown = batch()
    logits = detector(joined).change_logits(shown)
    highest = logits.sigmoid().flatten(1).amax(dim=1)
    low, high = highest.argsort().tolist()
    between = float(highest.mean())
    model = detector(joined, likely=between)
    land = model.change_and_land(shown)[1]
    assert (land[low] == NO_LAND_CLASS).all()
    torch.testing.assert_close(land[high], model.land(shown)[high])
    # A chip's answer does not depend on those beside it, and pixels without data call for nobody.
    torch.testing.assert_close(model.change_and_land(shown[high : high + 1])[1][0], land[high])
    blind = Batch(shown.before, shown.after, shown.valid & (logits.sigmoid() < between))
    assert (model.change_and_land(blind)[1] == NO_LAND_CLASS).all()


def test_only_asks_where_change_is_likely(joined: Path) -> None:
    every, land = detector(joined, likely=0.01).change_and_land(batch())
    often = int(land.flatten().bincount().argmax())
    asked = (CLASSES[often],)
    only = detector(joined, likely=0.01, only=asked).change_logits(batch())
    gone = only <= NO_CHANGE_LOGIT
    assert gone.any() and not gone.all()
    assert (gone | (only == every)).all()
    assert (land == often).any(dim=1)[~gone].all()
    quiet = detector(joined, likely=1 - 1e-9, only=asked).change_logits(batch())
    torch.testing.assert_close(quiet, every)


@pytest.mark.parametrize("size", [(512, 512), (64, 700), (100, 383), (32, 32)])
def test_parts_of_a_chip_are_all_of_it(size: tuple[int, int]) -> None:
    seen = np.zeros(size, np.int64)
    for part in parts_of(*size):
        seen[part.inner] += 1
        assert all(rows.start % 32 == 0 for rows in part.outer)
        assert seen[part.outer][part.within].shape == seen[part.inner].shape
        assert seen[part.outer][part.within].base is not None
        assert np.shares_memory(seen[part.outer][part.within], seen[part.inner])
    assert (seen == 1).all()
    assert len(list(parts_of(*size))) == max(1, round(size[0] / 256)) * max(1, round(size[1] / 256))


def opinionated(joined: Path, said: float) -> LandNetwork:
    checkpoint = read_checkpoint(joined)
    assert checkpoint.card.land is not None
    torch.manual_seed(5)
    network = LandNetwork(replace(checkpoint.card.land, opinion=4)).eval()
    network.load_state_dict(checkpoint.land, strict=False)
    assert network.opinion is not None
    network.opinion.say.bias.data += said
    return network.requires_grad_(False)


def test_a_fresh_opinion_is_none(joined: Path) -> None:
    change = torch.randn(2, 64, 64)
    said = SparseLandInference(opinionated(joined, 0)).predict(batch(), change)[0]
    torch.testing.assert_close(said, change)


def test_an_opinion_counts_where_change_is_likely(joined: Path) -> None:
    change = torch.full((1, 64, 512), -5.0)
    change[0, 3, 3] = 0
    wide = batch(64, 512)[:1]
    said, land = SparseLandInference(opinionated(joined, 2.0)).predict(wide, change)
    torch.testing.assert_close(said[..., :256], change[..., :256] + 2)
    assert torch.equal(said[..., 256:], change[..., 256:])
    assert land[0][..., 256:].isnan().all() and not land[0][..., :256].isnan().any()


def test_an_opinion_is_part_of_the_file_and_of_the_answer(joined: Path, tmp_path: Path) -> None:
    first, network = read_checkpoint(joined), opinionated(joined, 2.0)
    card = replace(first.card, land=network.options, temperature=2.0)
    file = tmp_path / "opinion.safetensors"
    write_checkpoint(file, replace(first, card=card, land=network.state_dict()))
    before = detector(joined).change_logits(batch())
    said = detector(file, likely=1e-9, only=CLASSES).change_logits(batch())
    torch.testing.assert_close(said, before / 2 + 1, atol=1e-5, rtol=1e-5)
    # Nothing is asked for: change is what it was.
    unasked = detector(file, likely=1e-9).change_and_land(batch())[0]
    torch.testing.assert_close(unasked, before / 2)


def test_chips_without_data_are_unseen(joined: Path) -> None:
    picture = np.asarray(batch().before[0].permute(1, 2, 0))
    valid = np.ones((64, 64), np.bool_)
    valid[:10] = False
    chip = Chip(picture, picture[::-1].copy(), valid)
    said = run_model(detector(joined, likely=1e-6), [chip], 1, "cpu")
    assert (said.land[0, :, :10] == NO_LAND_CLASS).all()
    assert (said.land[0, :, 10:] < len(CLASSES)).all()
    assert predict_land(detector(joined), [chip], "cpu").shape == (1, 2, 64, 64)


def test_converting_and_averaging_keep_it(joined: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.safetensors"
    convert(joined, half, half=True)
    kept, first = read_checkpoint(half), read_checkpoint(joined)
    assert kept.card.land == first.card.land
    assert {x.dtype for x in kept.land.values() if x.is_floating_point()} == {torch.float16}
    assert mean_checkpoint([joined, joined]).land.keys() == first.land.keys()
    other = replace(first, land={name: x + 1 for name, x in first.land.items()})
    write_checkpoint(tmp_path / "other.safetensors", other)
    with pytest.raises(InputError, match="another land network"):
        mean_checkpoint([joined, tmp_path / "other.safetensors"])


def test_joining_again_takes_the_newer(joined: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.safetensors"
    join_land_network(joined, joined, out, threshold=0.7)
    first, second = read_checkpoint(joined), read_checkpoint(out)
    assert second.card == replace(first.card, threshold=0.7)
    for name, tensor in first.land.items():
        assert torch.equal(second.land[name], tensor)


def test_what_does_not_go_together_is_refused(joined: Path, tmp_path: Path) -> None:
    small, land = (joined.with_name(f"{name}.safetensors") for name in ("small", "land"))
    with pytest.raises(InputError, match="it sees what stands there by itself"):
        join_land_network(land, land, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="it has no land head"):
        join_land_network(small, small, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("gone", "said"),
    [("land.", "holds its own land network, but it does not"), ("land.backbone.conv1", "missing")],
)
def test_a_card_that_promises_in_vain_is_refused(
    joined: Path, tmp_path: Path, gone: str, said: str
) -> None:
    with safe_open(joined, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no iterator
        header = dict(opened.metadata())
    left = {name: x for name, x in tensors.items() if not name.startswith(gone)}
    save_file(left, tmp_path / "vain.safetensors", metadata=header)
    with pytest.raises(InputError, match=said):
        read_checkpoint(tmp_path / "vain.safetensors")


@pytest.mark.parametrize("opinion", [-1, True, 2.0, "4", 10**9])
def test_an_opinion_of_no_size_is_refused(joined: Path, opinion: object) -> None:
    card = json.loads(read_checkpoint(joined).card.to_json())
    card["land"]["opinion"] = opinion
    with pytest.raises(InputError, match="its card makes no sense: opinion"):
        Card.from_json(json.dumps(card))


def test_two_that_see_land_are_refused(joined: Path) -> None:
    card = json.loads(read_checkpoint(joined).card.to_json())
    card["options"]["land"] = card["land"]["head"]
    with pytest.raises(InputError, match="it has one of them"):
        Card.from_json(json.dumps(card))


def test_the_command_joins_and_shows(joined: Path, tmp_path: Path) -> None:
    files = [joined.with_name(f"{name}.safetensors") for name in ("small", "land")]
    out = tmp_path / "both.safetensors"
    told = CliRunner().invoke(cli, ["weights", "join", *map(str, files), str(out), "--half"])
    assert told.exit_code == 0, told.output
    shown = CliRunner().invoke(cli, ["weights", "show", str(out)])
    assert "a network of its own, in the file: building-" in " ".join(shown.output.split())
    count = sum(x.numel() for x in read_checkpoint(out).build().parameters())
    assert f"{count:,}" not in shown.output
