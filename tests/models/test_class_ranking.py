"""Rankings of names, and the tags that distinguish the answers of different CLIPs."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL, pictures, small, small_clip
from safetensors.torch import save_file

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.models import class_ranking
from geochange.models.class_ranking import (
    ClassNamer,
    clip_tag,
    rankings,
    read_class_namer,
    vocabulary_tag,
)
from geochange.models.clip_scorer import ClipScorer
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import collate
from geochange.models.prompts import NAMES_PER_CHIP, best_names, published_vocabulary
from geochange.models.weights.model_card import Card
from geochange.training.data import class_file


def chips(count: int, side: int = 64, seed: int = 0) -> list[Chip]:
    drawn = pictures(2 * count, side, side, seed).permute(0, 2, 3, 1).numpy()
    valid = np.ones((side, side), bool)
    return [Chip(drawn[i], drawn[count + i], valid) for i in range(count)]


def scorer() -> ClipScorer:
    return ClipScorer(copy.deepcopy(small_clip()), published_vocabulary(), 32)


def test_every_name_is_ranked_and_of_equal_ones_the_earlier_first() -> None:
    scores = torch.tensor([[0.2, 0.5, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    first, second = rankings(scores, ("a", "b", "c", "d"))
    assert [name for name, _ in first] == ["b", "a", "c", "d"]
    assert [p for _, p in first] == pytest.approx([0.5, 0.2, 0.2, 0.1])
    assert [name for name, _ in second] == ["a", "b", "c", "d"]


def test_the_best_of_a_ranking_are_the_best_names() -> None:
    draw = torch.Generator().manual_seed(0)
    scores = (torch.rand(20, 56, generator=draw) * 8).round() / 8  # many ties
    best = [
        tuple(name for name, _ in r[:NAMES_PER_CHIP])
        for r in rankings(scores, published_vocabulary())
    ]
    assert best == best_names(scores, published_vocabulary())


def test_a_file_holds_as_many_names_as_a_text_takes() -> None:
    assert class_file.NAMES_PER_CHIP == NAMES_PER_CHIP


@pytest.mark.slow
def test_it_names_what_the_detector_would_name() -> None:
    vocabulary = published_vocabulary()
    shown = [*chips(3), *chips(2, side=96, seed=1), *chips(1, seed=2)]
    ranked = ClassNamer(scorer(), vocabulary).rank(shown)
    network = small("resnet")
    spec = DetectorSpec("", precision="float32")
    detector = ChangeClipDetector(spec, network, Card(SMALL["resnet"]), scorer())
    for chip, both in zip(shown, ranked, strict=True):
        wanted = detector.names(collate([chip]))
        found = tuple([tuple(name for name, _ in date[:NAMES_PER_CHIP])] for date in both)
        assert found == wanted
        for date in both:
            assert sum(p for _, p in date) == pytest.approx(1, abs=1e-5)
            assert {name for name, _ in date} == set(vocabulary)


@pytest.mark.slow
def test_chips_of_one_shape_go_together_where_there_is_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = [*chips(3), *chips(2, side=96, seed=1), *chips(1, seed=2)]
    namer = ClassNamer(scorer(), published_vocabulary())
    alone = namer.rank(shown)
    monkeypatch.setattr(namer, "device", torch.device("cuda"))
    monkeypatch.setattr(class_ranking, "collate", lambda together, device: collate(together))
    sizes = []
    namer.scorer.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    together = namer.rank(shown)
    assert sizes == [6, 4, 2]
    for one, other in zip(alone, together, strict=True):
        for date, same in zip(one, other, strict=True):
            assert dict(date) == pytest.approx(dict(same), abs=1e-6)


@pytest.mark.slow
def test_a_clip_is_read_with_its_vocabulary(tmp_path: Path) -> None:
    file = tmp_path / "clip.safetensors"
    save_file(small_clip().state_dict(), file)
    names = published_vocabulary()[::-1]
    found = read_class_namer(f"ViT-B-32-quickgelu@{file}", names, "cpu").rank(chips(1))
    clip = ClipScorer(copy.deepcopy(small_clip()), names, 32)
    assert found == ClassNamer(clip, names).rank(chips(1))
    assert found != read_class_namer(str(file), names, "cpu").rank(chips(1))  # no QuickGELU


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("ViT-B-16-quickgelu/openai", "vit16"),
        ("ViT-B-16/openai", "vit16"),
        ("ViT-B-16-quickgelu", "vit16"),
        ("ViT-B-32/openai", "vit-b-32-openai"),
        ("ViT-L-14-336/openai", "vit-l-14-336-openai"),
        ("ViT-B-16/laion2b_s34b_b88k", "vit-b-16-laion2b-s34b-b88k"),
    ],
)
def test_a_published_clip_is_called_by_its_model_and_tag(name: str, tag: str) -> None:
    assert clip_tag(name) == tag


def test_a_file_is_called_by_its_name_and_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "My CLIP_2.pt"
    file.write_bytes(b"one")
    digest = hashlib.sha256(b"one").hexdigest()
    assert clip_tag(str(file)) == f"my-clip-2-{digest[:8]}"
    assert clip_tag(f"ViT-B-32@{file}") == f"vit-b-32-{digest[:8]}"
    file.write_bytes(b"two")
    assert clip_tag(str(file)) != f"my-clip-2-{digest[:8]}"
    with pytest.raises(InputError, match=r"no weights at .*none\.pt"):
        clip_tag(str(tmp_path / "none.pt"))
    # OpenAI's file is the published one under any name, unless it is run as another model.
    monkeypatch.setattr(class_ranking, "_PUBLISHED_SHA256", hashlib.sha256(b"two").hexdigest())
    assert clip_tag(str(file)) == clip_tag(f"ViT-B-16-quickgelu@{file}") == "vit16"
    assert clip_tag(f"ViT-B-16@{file}") != "vit16"


def test_a_vocabulary_is_called_by_its_size_and_unless_published_by_its_names() -> None:
    published = published_vocabulary()
    tags = [vocabulary_tag(v) for v in (published, published[::-1], published[:20])]
    assert tags[0] == "56"
    assert tags[1].startswith("56-") and tags[2].startswith("20-")
    assert len({tag.split("-")[-1] for tag in tags}) == 3
