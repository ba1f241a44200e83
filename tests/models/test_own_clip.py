"""A checkpoint with its own CLIP: written, read, used without another CLIP, and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pipeline_runs import command
from safetensors import safe_open
from safetensors.torch import save_file

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.models.changeclip.clip_alignment import Aligner, caption_tokens, clip_shape
from geochange.models.changeclip.network import ChangeClip
from geochange.models.changeclip.variants import VARIANTS
from geochange.models.clip_scorer import build_scorer, preprocess
from geochange.models.detector import DetectorSpec
from geochange.models.inference.batch import collate
from geochange.models.prompts import published_vocabulary
from geochange.models.weights.checkpoint import (
    Checkpoint,
    read_checkpoint,
    read_clip,
    write_checkpoint,
    write_clip,
)
from geochange.models.weights.initial import start_from_clip
from geochange.models.weights.model_card import OWN_CLIP, Card
from geochange.models.weights.openclip import read_shape

SIDE_PX = 64
TINY = VARIANTS["tiny"]


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    torch.manual_seed(1)
    return Aligner(TINY, SIDE_PX).eval()


@pytest.fixture
def file(tmp_path: Path, aligner: Aligner) -> Path:
    torch.manual_seed(2)
    network = ChangeClip(TINY.options)
    card = Card(TINY.options, clip=OWN_CLIP)
    path = tmp_path / "own.safetensors"
    half = {n: x.half() if x.is_floating_point() else x for n, x in network.state_dict().items()}
    write_checkpoint(path, Checkpoint(card, half, aligner.network.state_dict()))
    return path


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


@pytest.mark.slow
def test_it_comes_back_apart_from_the_network(file: Path, aligner: Aligner) -> None:
    checkpoint = read_checkpoint(file)
    own = checkpoint.own_clip()
    assert own is not None and own.quickgelu
    assert own.tensors.keys() == aligner.network.state_dict().keys()
    for name, value in aligner.network.state_dict().items():
        assert torch.equal(own.tensors[name], value)
    network = checkpoint.build()
    assert next(network.parameters()).dtype == torch.float32


@pytest.mark.slow
def test_the_detector_needs_no_other_clip(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, without: str = "") -> None:
        raise AssertionError("another CLIP was asked for")

    monkeypatch.setattr("geochange.models.detector_scorers.read_clip", refuse)
    detector = DetectorSpec(str(file), precision="float32").build()
    valid = np.ones((SIDE_PX, SIDE_PX), bool)
    before, after = detector.class_scores(collate([Chip(picture(1), picture(2), valid)]))
    assert before.shape == after.shape == (1, len(published_vocabulary()))
    assert torch.allclose(before.sum(), torch.tensor(1.0))


@pytest.mark.slow
def test_another_clip_overrides_it(file: Path) -> None:
    with pytest.raises(InputError, match="no weights at"):
        DetectorSpec(str(file), clip="absent.safetensors").build()


@pytest.mark.slow
def test_it_is_a_clip_for_others_too(file: Path, aligner: Aligner) -> None:
    found = read_clip(str(file))
    assert found.quickgelu and found.source == str(file)
    options = replace(TINY.options, visual=replace(TINY.options.visual, grid=2))
    network = start_from_clip(options, found.tensors)
    assert torch.equal(network.backbone.conv1.weight, aligner.network.visual.conv1.weight)


@pytest.mark.slow
def test_a_network_without_one_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "plain.safetensors"
    network = ChangeClip(TINY.options)
    write_checkpoint(path, Checkpoint(Card(TINY.options), network.state_dict()))
    assert read_checkpoint(path).own_clip() is None
    with pytest.raises(InputError, match="ChangeCLIP's weights, not CLIP's"):
        read_clip(str(path))


@pytest.mark.slow
def test_a_card_that_promises_in_vain_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vain.safetensors"
    card = Card(TINY.options, clip=OWN_CLIP)
    write_checkpoint(path, Checkpoint(card, ChangeClip(TINY.options).state_dict()))
    with pytest.raises(InputError, match="says that it holds its own CLIP, but it does not"):
        read_checkpoint(path)


@pytest.mark.slow
def test_a_clip_that_the_card_does_not_tell_of_has_no_place(file: Path) -> None:
    with safe_open(file, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no iterator
        header = dict(opened.metadata())
    card = json.loads(header["geochange"]) | {"clip": ""}
    save_file(tensors, file, metadata={"geochange": json.dumps(card)})
    with pytest.raises(InputError, match="has no place"):
        read_checkpoint(file).build()


def test_an_unknown_place_of_clip_is_refused() -> None:
    text = Card(TINY.options).to_json().replace('"clip": ""', '"clip": "elsewhere"')
    with pytest.raises(InputError, match="a CLIP 'elsewhere'"):
        Card.from_json(text)


@pytest.mark.slow
def test_the_scorer_says_what_the_aligner_learnt(tmp_path: Path, aligner: Aligner) -> None:
    path = tmp_path / "clip.safetensors"
    write_clip(path, aligner.network.state_dict())
    found = read_clip(str(path))
    names = published_vocabulary()
    scorer = build_scorer(found.tensors, found.quickgelu, names)
    pictures = torch.from_numpy(picture(3)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        ours = scorer(pictures)
        logits = aligner(pictures.float(), caption_tokens(names, 77))
    assert preprocess(pictures, SIDE_PX).shape[-1] == scorer.size == SIDE_PX
    assert torch.allclose(ours, logits.softmax(dim=1), atol=1e-5)


@pytest.mark.slow
def test_small_pictures_are_seen_too(aligner: Aligner) -> None:
    with torch.inference_mode():
        assert aligner(torch.zeros(2, 3, 32, 32), caption_tokens(["sea"], 77)).shape == (2, 1)


@pytest.mark.slow
def test_the_shape_is_that_of_its_tensors(aligner: Aligner) -> None:
    found, wanted = read_shape(aligner.network.state_dict()), clip_shape(TINY, SIDE_PX)
    assert (found.embed, found.text, found.vision) == (wanted.embed, wanted.text, wanted.vision)


@pytest.mark.slow
def test_weights_show_says_where_clip_is(file: Path) -> None:
    told = command("weights", "show", str(file))
    assert told.returncode == 0 and "its own, in the file" in told.stdout
