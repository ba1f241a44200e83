"""Images of one date: what their labels allow, and their crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_pictures import make_labelled, save_label

from geochange.errors import InputError
from geochange.land_cover import CLASSES
from geochange.training.data.land_cover_pictures import (
    ANY_CLASS,
    LandCrops,
    collate_land,
    read_land,
)
from geochange.training.land_cover_loss import allowed_mask, land_loss

BUILDING, ROAD, VEGETATION = 1, 2, 4


def values(root: Path, name: str, *, kept_out: bool = False) -> set[int]:
    sets = read_land(root, None, kept_out=kept_out).sets
    chosen = next(each for each in sets if each.name == name)
    return {int(v) for allowed in chosen.allowed for v in np.unique(allowed)}


@pytest.mark.slow
def test_nought_is_any_class_that_its_set_does_not_label(tmp_path: Path) -> None:
    make_labelled(tmp_path, "houses", (0, 1, 255))
    make_labelled(tmp_path, "roads", (0, 2))
    make_labelled(tmp_path, "all", (1, 2, 3, 4, 5))
    make_labelled(tmp_path, "sure", (1, 255))
    assert values(tmp_path, "houses") == {0, BUILDING, ANY_CLASS & ~BUILDING}
    assert values(tmp_path, "roads") == {ROAD, ANY_CLASS & ~ROAD}
    assert values(tmp_path, "all") == {1 << number for number in range(len(CLASSES))}
    assert values(tmp_path, "sure") == {0, BUILDING}


def test_every_fifth_picture_is_kept_out(tmp_path: Path) -> None:
    make_labelled(tmp_path, "houses", (0, 1), count=10)
    learnt, kept = (read_land(tmp_path, None, kept_out=k).sets[0] for k in (False, True))
    assert (len(learnt.pictures), len(kept.pictures)) == (8, 2)
    seen = {picture.tobytes() for picture in learnt.pictures}
    assert not seen & {picture.tobytes() for picture in kept.pictures}


def test_scenes_tell_what_cannot_stand_there(tmp_path: Path) -> None:
    make_labelled(tmp_path / "labelled", "houses", (0, 1))
    for number in range(5):
        save_label(tmp_path / "ucm" / "forest" / f"{number}.png", np.zeros((64, 64), np.uint8))
    sets = read_land(tmp_path / "labelled", tmp_path / "ucm", kept_out=False).sets
    forest = sets[-1]
    assert [int(v) for allowed in forest.allowed for v in np.unique(allowed)] == [VEGETATION] * 4


@pytest.mark.parametrize("value", [6, 100, 254])
def test_a_label_of_no_meaning_is_refused(tmp_path: Path, value: int) -> None:
    make_labelled(tmp_path, "houses", (0, 1))
    save_label(tmp_path / "houses" / "labels" / "0.png", np.full((96, 96), value, np.uint8))
    with pytest.raises(InputError, match=f"the value {value}; labels are 0 to 5"):
        read_land(tmp_path, None, kept_out=False)


def test_a_label_of_another_size_is_refused(tmp_path: Path) -> None:
    make_labelled(tmp_path, "houses", (0, 1))
    save_label(tmp_path / "houses" / "labels" / "0.png", np.zeros((40, 96), np.uint8))
    with pytest.raises(InputError, match="another size"):
        read_land(tmp_path, None, kept_out=False)


def test_a_label_without_its_picture_is_refused(tmp_path: Path) -> None:
    make_labelled(tmp_path, "houses", (0, 1))
    (tmp_path / "houses" / "images" / "0.png").unlink()
    with pytest.raises(InputError, match="has no picture"):
        read_land(tmp_path, None, kept_out=False)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    make_labelled(tmp_path, "houses", (0, 1))
    (tmp_path / "houses" / "images" / "0.png").write_bytes(content)
    with pytest.raises(InputError, match=r"0\.png cannot be read as a picture"):
        read_land(tmp_path, None, kept_out=False)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SET/images"):
        read_land(tmp_path, None, kept_out=False)


def test_crops_follow_from_seed_and_number_alone(tmp_path: Path) -> None:
    make_labelled(tmp_path, "houses", (0, 1))
    crops = [LandCrops(read_land(tmp_path, None, kept_out=False), 64, seed) for seed in (1, 1, 2)]
    one, same, other = (collate_land([each[n] for n in range(3)]) for each in crops)
    assert torch.equal(one.pictures, same.pictures)
    assert torch.equal(one.labels, same.labels)
    assert not torch.equal(one.pictures, other.pictures)
    assert one.pictures.shape == (3, 3, 64, 64)
    assert one.known == int((one.labels > 0).sum()) > 0


def logits_of(classes: list[int]) -> torch.Tensor:
    """Logits that strongly predict one class for each pixel of a row."""
    sure = torch.nn.functional.one_hot(torch.tensor([[classes]]), len(CLASSES)) * 20.0
    return sure.permute(0, 3, 1, 2)


def test_the_loss_asks_for_one_of_the_allowed_alone() -> None:
    vegetation = logits_of([2, 2])
    either = torch.tensor([[[VEGETATION | ROAD, ANY_CLASS & ~BUILDING]]], dtype=torch.uint8)
    assert float(land_loss(vegetation, either, 2.0)) == pytest.approx(0, abs=1e-3)
    wrong = torch.tensor([[[ROAD, ROAD]]], dtype=torch.uint8)
    assert float(land_loss(vegetation, wrong, 2.0)) == pytest.approx(20, abs=0.1)


def test_the_unknown_teaches_nothing() -> None:
    logits = torch.randn(1, len(CLASSES), 4, 4, requires_grad=True)
    land_loss(logits, torch.zeros(1, 4, 4, dtype=torch.uint8), 0.0).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


def test_a_missed_building_costs_more_than_its_share() -> None:
    label = torch.full((1, 32, 32), ANY_CLASS & ~BUILDING, dtype=torch.uint8)
    label[0, :8, :8] = BUILDING
    found = torch.zeros(1, len(CLASSES), 32, 32)
    found[:, 4] = 9.0
    missed = float(land_loss(found, label, 1024.0))
    found[:, 0, :8, :8] = 20.0
    assert float(land_loss(found, label, 1024.0)) < 0.05 < missed - 0.5


def test_bits_become_masks() -> None:
    mask = allowed_mask(torch.tensor([[[BUILDING | VEGETATION]]], dtype=torch.uint8), 5)
    assert mask[0, :, 0, 0].tolist() == [True, False, True, False, False]
