"""Every model of BUILTIN follows the protocol; classical models detect what they should."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from makers import make_chip, texture
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.models import BUILTIN, build
from geochange.models.classical import STEEPNESS, ChangeVector, IterativelyReweightedMAD
from geochange.models.inference.batch import collate
from geochange.models.protocol import ChangeModel

SIZE = 64
SQUARE = np.s_[20:36, 28:44]

every_model = pytest.mark.parametrize("name", list(BUILTIN))
both = pytest.mark.parametrize("name", ["cva", "irmad"])

Pixels = NDArray[np.float32]


def two_dates(bands: int = 3, size: int = SIZE) -> tuple[Pixels, Pixels]:
    """The same relief with new noise, and a square of something else at the second date."""
    before = texture(size, bands, seed=1)
    after = before + np.random.default_rng(9).normal(0, 3, before.shape).astype(np.float32)
    after[SQUARE] = np.linspace(230, 20, bands) if bands > 1 else 250
    return before, after.astype(np.float32)


def fitted(name: str, sample: Sequence[Chip]) -> ChangeModel:
    """A model that got its statistics the way a worker does: as JSON."""
    model = build(name)
    model.adopt(json.loads(json.dumps(build(name).fit(sample))))
    return model


def logits_of(name: str, chip: Chip) -> NDArray[np.float32]:
    with torch.no_grad():
        answer = fitted(name, [chip]).change_logits(collate([chip]))
    return np.asarray(answer[0].float())


def chips_for(model: ChangeModel, count: int, size: int = SIZE) -> list[Chip]:
    """8-bit chips with as many bands as the model takes."""
    pictures = [texture(size, model.bands or 3, seed).clip(0, 255) for seed in range(2 * count)]
    dates = [picture.astype(np.uint8) for picture in pictures]
    return [make_chip(*pair) for pair in zip(dates[::2], dates[1::2], strict=True)]


@every_model
def test_it_is_a_change_model(name: str) -> None:
    model = build(name)
    assert isinstance(model, ChangeModel)
    assert 0 < model.threshold < 1
    assert model.bands is None or model.bands > 0


@every_model
def test_logits_are_one_finite_float32_a_pixel(name: str) -> None:
    chips = chips_for(build(name), 2)
    with torch.no_grad():
        answer = fitted(name, chips).change_logits(collate(chips))
    assert answer.shape == (2, SIZE, SIZE)
    assert answer.dtype == torch.float32
    assert torch.isfinite(answer).all()


@every_model
def test_statistics_survive_json(name: str) -> None:
    chips = chips_for(build(name), 2)
    direct = build(name)
    direct.adopt(direct.fit(chips))
    with torch.no_grad():
        one, other = (m.change_logits(collate(chips)) for m in (direct, fitted(name, chips)))
    assert torch.equal(one, other)


@every_model
def test_fitting_nothing_and_adopting_it_does_no_harm(name: str) -> None:
    model = build(name)
    model.adopt(model.fit([]))


@every_model
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1), (2, 3)])
def test_a_chip_has_the_same_bits_in_any_company(name: str, sizes: tuple[int, ...]) -> None:
    chips = chips_for(build(name), 5)
    model = fitted(name, chips)
    with torch.no_grad():
        together = model.change_logits(collate(chips))
        starts = np.cumsum([0, *sizes])
        apart = [
            model.change_logits(collate(chips[start:stop])) for start, stop in pairwise(starts)
        ]
    assert torch.equal(together, torch.cat(apart))


@both
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_identical_dates_are_no_change_anywhere(name: str, dtype: type) -> None:
    picture = texture(SIZE).clip(0, 255).astype(dtype)
    assert (logits_of(name, make_chip(picture, picture.copy())) < -3).all()


@both
def test_other_light_alone_is_no_change_anywhere(name: str) -> None:
    before = texture(SIZE)
    after = (before * [0.5, 2, 1.3] + [10, -20, 5]).astype(np.float32)
    assert (logits_of(name, make_chip(before, after)) < 0).all()


@both
def test_a_planted_square_is_found_whole_and_alone(name: str) -> None:
    before, after = two_dates()
    found = logits_of(name, make_chip(before, after)) > 0
    truth = np.zeros((SIZE, SIZE), bool)
    truth[SQUARE] = True
    overlap = (found & truth).sum() / (found | truth).sum()
    assert overlap > 0.8
    # Nothing outside the radius of the filter.
    assert not found[:14].any()
    assert not found[42:].any()


@both
def test_other_light_does_not_alter_what_is_found(name: str) -> None:
    before, after = two_dates()
    lit = (after * [0.4, 1.7, 1.1] + [30, -10, 4]).astype(np.float32)
    plain, relit = (logits_of(name, make_chip(before, date)) for date in (after, lit))
    np.testing.assert_allclose(relit, plain, atol=0.02)


def test_irmad_does_not_mind_mixed_or_swapped_bands() -> None:
    before, after = two_dates()
    mix = np.array([[1, 0.2, 0], [0.1, 0, 1], [0, 1.5, 0.3]], np.float32)
    plain = logits_of("irmad", make_chip(before, after))
    mixed = logits_of("irmad", make_chip(before, (after @ mix + 7).astype(np.float32)))
    np.testing.assert_allclose(mixed, plain, atol=0.05)
    assert np.abs(plain - logits_of("cva", make_chip(before, after @ mix))).max() > 1


def test_irmad_goes_by_the_unchanged_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the scene changed. Reweighting separates it far better than a single round."""
    before, after = two_dates()
    after[:, :21] = 255 - after[:, :21]
    chip, contrast = make_chip(before, after), []
    for rounds in (1, IterativelyReweightedMAD.rounds):
        monkeypatch.setattr(IterativelyReweightedMAD, "rounds", rounds)
        magnitude = logits_of("irmad", chip) + STEEPNESS
        contrast.append(np.median(magnitude[4:-4, 2:18]) / np.median(magnitude[:, 50:]))
    assert contrast[1] > 5 * contrast[0] > 5
    found = logits_of("irmad", chip) > 0
    assert found[4:-4, 2:18].mean() > 0.7
    assert found[:, 50:].mean() < 0.05


@both
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "case",
    [
        "constant",
        "constant before",
        "constant band",
        "repeated band",
        "one band",
        "black",
        "8 bands",
    ],
)
def test_poor_pictures_give_numbers(name: str, case: str) -> None:
    before, after = two_dates(bands={"one band": 1, "8 bands": 8}.get(case, 3))
    if case in ("constant", "constant before"):
        before[:] = 17
    if case == "constant":
        after[:] = 90
    if case == "constant band":
        before[..., 1] = after[..., 1] = 40
    if case == "repeated band":
        before[..., 1], after[..., 1] = before[..., 0], after[..., 0]
    if case == "black":
        before[:] = after[:] = 0
    logits = logits_of(name, make_chip(before, after))
    assert np.isfinite(logits).all()
    if case in ("constant", "black"):
        assert (logits < 0).all()
    if case in ("constant band", "repeated band", "one band", "8 bands"):
        assert (logits[SQUARE] > 0).mean() > 0.8
        assert (logits[:14] < 0).all()


@both
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_valid_pixels_give_numbers(name: str, count: int) -> None:
    before, after = two_dates()
    valid = np.zeros((SIZE, SIZE), bool)
    valid[30, 30 : 30 + count] = True
    assert np.isfinite(logits_of(name, make_chip(before, after, valid))).all()


@both
def test_pixels_without_data_neither_teach_nor_count(name: str) -> None:
    before, after = two_dates()
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, 50:] = False
    wild = [date.copy() for date in (before, after)]
    wild[0][:, 50:] = wild[1][:, 50:] = 1e4
    plain = logits_of(name, make_chip(before, after, valid))
    np.testing.assert_allclose(logits_of(name, make_chip(*wild, valid)), plain, atol=1e-5)


@both
def test_a_chip_is_judged_by_the_scene_and_not_by_itself(name: str) -> None:
    before, after = two_dates()
    scene = make_chip(before, after)
    model = fitted(name, [scene])
    quiet = make_chip(before[:14], after[:14])
    assert (model.change_logits(collate([quiet])) < 0).all()


@pytest.mark.parametrize("model", [ChangeVector, IterativelyReweightedMAD])
def test_models_that_were_not_fitted_answer_all_the_same(model: type) -> None:
    chip = make_chip(*two_dates(bands=1))
    assert torch.isfinite(model().change_logits(collate([chip]))).all()
