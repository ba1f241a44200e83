"""Networks of bands: widened from those of RGB, resumed as they are, and named by CLIP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from makers import make_chip
from torch import nn

from geochange.errors import InputError, OptionError
from geochange.models.bands.input_bands import InputBands
from geochange.models.bands.rgb_bands import shown_chip
from geochange.models.changeclip.network import FARTHEST, normalise
from geochange.models.changeclip.variants import Regularisation
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import collate
from geochange.models.learning.trainable import NetworkStart, initial_network
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.convert import join_land_network

FOUR = InputBands(
    ("blue", "green", "red", "nir"), (2, 3, 4, 8), (60.0, 70.0, 80.0, 900.0), (9.0,) * 3 + (200.0,),
    rgb=(2, 1, 0),
)  # fmt: skip
FIRST = "backbone.conv1.weight"


def start(weights: str | None = None, bands: InputBands | None = None) -> NetworkStart:
    return NetworkStart("tiny", weights, Regularisation(), bands=bands)


def write(path: Path, bands: InputBands | None = None) -> Path:
    network, card = initial_network(start(bands=bands))
    write_checkpoint(path, Checkpoint(replace(card, prompts="fixed"), network.state_dict()))
    return path


def test_values_are_counted_in_deviations_of_the_card_and_cut_far_away() -> None:
    values = torch.tensor([62.0, 70.0, 80.0, 1100.0]).reshape(1, 4, 1, 1)
    assert normalise(values, FOUR).flatten().tolist() == pytest.approx([2 / 9, 0, 0, 1])
    far = torch.full((1, 4, 1, 1), -9999.0)
    assert normalise(far, FOUR).flatten().tolist() == [-FARTHEST] * 4


@pytest.mark.slow
def test_a_checkpoint_of_rgb_is_widened(tmp_path: Path) -> None:
    file = write(tmp_path / "rgb.safetensors")
    network, card = initial_network(start(str(file), FOUR))
    assert card.options.bands == FOUR
    old, new = read_checkpoint(file).tensors, network.state_dict()
    torch.testing.assert_close(new[FIRST].sum(dim=1), old[FIRST].sum(dim=1))
    torch.testing.assert_close(new[FIRST][:, 2], old[FIRST][:, 0] * 3 / 4)
    assert all(torch.equal(new[name], value) for name, value in old.items() if name != FIRST)


@pytest.mark.slow
def test_a_checkpoint_of_bands_is_written_read_and_continued_as_it_is(tmp_path: Path) -> None:
    file = write(tmp_path / "four.safetensors", FOUR)
    checkpoint = read_checkpoint(file)
    assert checkpoint.card.options.bands == FOUR
    assert checkpoint.tensors[FIRST].shape[1] == 4
    network, card = initial_network(start(str(file), FOUR))
    assert torch.equal(network.state_dict()[FIRST], checkpoint.tensors[FIRST])
    assert card.options.bands == FOUR
    with pytest.raises(InputError, match="sees other bands than RGB, which a land network needs"):
        join_land_network(file, file, tmp_path / "joined.safetensors")


class Scorer(nn.Module):
    """Keeps what it is shown, and finds the first name likely."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.seen = pictures
        return torch.eye(12)[:1].expand(len(pictures), -1)


@pytest.mark.slow
def test_clip_sees_red_green_and_blue_and_the_network_all_bands() -> None:
    network, card = initial_network(start(bands=FOUR))
    card = replace(card, vocabulary=tuple(f"name {i}" for i in range(12)))
    scorer = Scorer()
    model = ChangeClipDetector(
        DetectorSpec("", precision="float32"), network.eval().requires_grad_(False), card, scorer  # type: ignore[arg-type]
    )  # fmt: skip
    assert model.bands == 4
    rng = np.random.default_rng(0)
    dates = [rng.normal(FOUR.mean, FOUR.std, (64, 64, 4)).astype(np.float32) for _ in range(2)]
    chip = make_chip(*dates)
    logits = model.change_logits(collate([chip]))
    shown = shown_chip(chip, FOUR)
    assert (scorer.seen[1].permute(1, 2, 0).numpy() == shown.after).all()
    moved = dates[1].copy()
    moved[..., 3] += 400
    assert not torch.equal(model.change_logits(collate([make_chip(dates[0], moved)])), logits)
    with pytest.raises(InputError, match="the network takes blue, green, red, nir"):
        model.change_logits(collate([shown]))


@pytest.mark.slow
def test_names_without_red_green_and_blue_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.safetensors", replace(FOUR, rgb=()))
    DetectorSpec(str(file)).build()
    with pytest.raises(OptionError, match=r"CLIP needs red, green and blue.*--prompts fixed"):
        DetectorSpec(str(file), prompts="per-date").build()
