"""Scenes: read by class, cropped repeatedly, and matched with captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geochange.errors import InputError
from geochange.training.data.random_views import mix_pictures, random_view
from geochange.training.data.scenes import (
    LabelledScenes,
    caption_loss,
    caption_targets,
    class_meanings,
    least_sure_score,
    names_of,
    read_scenes,
    top_accuracy,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("beach", "solar_farm")):
        (tmp_path / name).mkdir()
        for index in range(10):
            colour = np.full((40, 40, 3), 100 * number + index, np.uint8)
            Image.fromarray(colour).save(tmp_path / name / f"{name}{index:02}.png")
    return tmp_path


def test_every_fifth_is_kept_out(folder: Path) -> None:
    learnt, judged = (read_scenes(folder, 32, kept_out=out) for out in (False, True))
    assert learnt.pictures.shape == (16, 3, 32, 32)
    assert judged.pictures[:, 0, 0, 0].tolist() == [4, 9, 104, 109]
    assert judged.labels.tolist() == [0, 0, 1, 1]
    assert judged.classes == ("beach", "solar_farm")


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one for each class of scenes"):
        read_scenes(tmp_path, 32, kept_out=False)


def test_classes_have_names() -> None:
    assert names_of("beach") == ("beach", "sea")
    assert names_of("solar_farm") == ("solar farm",)


def test_names_of_a_class_share_alike() -> None:
    targets = caption_targets(("beach", "river"), ("sea", "river", "beach", "mine"), 0.2)
    assert torch.allclose(targets.sum(dim=1), torch.ones(2))
    assert torch.allclose(targets[0], torch.tensor([0.45, 0.05, 0.45, 0.05]))
    assert torch.allclose(targets[1], torch.tensor([0.05, 0.85, 0.05, 0.05]))


def test_the_loss_is_least_where_the_shares_are_met() -> None:
    labels = torch.tensor([[0.5, 0.5, 0.0]])
    met = caption_loss(torch.tensor([[9.0, 9.0, -9.0]]), labels, 1)
    assert float(met) == pytest.approx(np.log(2), abs=1e-4)
    assert float(caption_loss(torch.tensor([[9.0, 0.0, -9.0]]), labels, 1)) > 2 * float(met)


def test_another_look_follows_from_the_draw_alone() -> None:
    pictures = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)

    def look(seed: int) -> torch.Tensor:
        return random_view(pictures, 32, torch.Generator().manual_seed(seed))

    assert look(1).shape == (3, 3, 32, 32)
    assert torch.equal(look(1), look(1)) and not torch.equal(look(1), look(2))
    assert look(1).min() >= 0 and look(1).max() <= 255


def test_mixed_pictures_have_mixed_labels() -> None:
    pictures = torch.stack([torch.zeros(3, 16, 16), torch.full((3, 16, 16), 200.0)])
    labels = torch.eye(2)
    for seed in range(8):
        draw = torch.Generator().manual_seed(seed)
        mixed, shares = mix_pictures(pictures, labels, 1.0, draw)
        assert torch.allclose(mixed.mean((1, 2, 3)) / 200, shares[:, 1], atol=1e-4)
    same, plain = mix_pictures(pictures, labels, 0.0, draw)
    assert same is pictures and plain is labels


def test_shares_count_the_captions_that_stand_for_classes() -> None:
    logits = torch.tensor([[9.0, 3.0, 1.0, 2.0], [0.0, 1.0, 3.0, 2.0]])
    labels = torch.tensor([2, 1])
    captions = [1, 2, 3]  # of three classes; the first caption has no class
    assert top_accuracy(logits, labels, captions, 1) == 0.5
    assert top_accuracy(logits, labels, captions, 2) == 1.0


def test_names_of_one_class_mean_one_thing() -> None:
    vocabulary = ("farmland", "beach", "sea", "lake")
    assert class_meanings(["beach", "agricultural", "lake"], vocabulary) == (("beach", "sea"),)


def test_the_least_score_is_where_what_is_said_is_right() -> None:
    scenes = LabelledScenes(torch.zeros(3, 3, 1, 1), torch.tensor([0, 1, 1]), ("beach", "river"))
    vocabulary = ("beach", "sea", "river", "lake")
    # Beach and sea together have 0.8 of the first and 0.515 of the last, which is a river.
    shares = torch.tensor([[0.4, 0.4, 0.1, 0.1], [0.05, 0.05, 0.6, 0.3], [0.315, 0.2, 0.4, 0.085]])
    found = least_sure_score(shares.log(), scenes, vocabulary, 0.99)
    assert found == 0.52, "the next hundredth"
    assert least_sure_score(shares.log(), scenes, vocabulary, 0.6) == 0.0
    wrong = LabelledScenes(scenes.pictures, torch.tensor([1, 0, 0]), scenes.classes)
    assert least_sure_score(shares.log(), wrong, vocabulary, 0.99) == 1.0
