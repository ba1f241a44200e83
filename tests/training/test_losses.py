"""The properties that every loss of the table has."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from geochange.errors import OptionError
from geochange.training.losses import LOSSES, Loss, dice, find_loss, focal


@pytest.fixture(params=sorted(LOSSES))
def loss(request: pytest.FixtureRequest) -> Loss:
    return LOSSES[request.param]


def make(batch: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that require gradients, and labels with a fifth unknown."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, 2, 8, 9, generator=draw)
    kinds = torch.tensor([0, 0, 1, 1, 255], dtype=torch.uint8)
    labels = kinds[torch.randint(5, (batch, 8, 9), generator=draw)]
    return logits.requires_grad_(), labels


def known(labels: torch.Tensor) -> float:
    return float((labels != 255).sum())


def gradient(loss: Loss, logits: torch.Tensor, labels: torch.Tensor, of: float) -> torch.Tensor:
    (found,) = torch.autograd.grad(loss(logits, labels, of), logits)
    return found


def certain(labels: torch.Tensor, margin: float) -> torch.Tensor:
    """Logits that are right by `margin`, or wrong if it is negative."""
    change = torch.where(labels == 1, margin, -margin)
    return torch.stack([-change / 2, change / 2], dim=1)


def test_unknown_pixels_teach_nothing(loss: Loss) -> None:
    logits, labels = make()
    unknown = (labels == 255)[:, None].expand_as(logits)
    found = gradient(loss, logits, labels, known(labels))
    assert unknown.any()
    assert (found[unknown] == 0).all()
    assert (found[~unknown] != 0).all()
    moved = torch.where(unknown, logits + 5, logits)
    torch.testing.assert_close(loss(moved, labels, 100.0), loss(logits, labels, 100.0))


@pytest.mark.parametrize("sizes", [(1, 2), (2, 1), (1, 1, 1)])
def test_parts_add_up_to_the_whole(loss: Loss, sizes: tuple[int, ...]) -> None:
    logits, labels = make()
    labels[1] = 255  # a part without known pixels
    whole = loss(logits, labels, known(labels))
    parts = zip(logits.split(sizes), labels.split(sizes), strict=True)
    total = torch.stack([loss(x, y, known(labels)) for x, y in parts]).sum()
    torch.testing.assert_close(total, whole, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        torch.autograd.grad(total, logits), torch.autograd.grad(whole, logits), rtol=1e-5, atol=1e-9
    )


def test_what_is_right_costs_nothing_and_what_is_wrong_much(loss: Loss) -> None:
    _, labels = make()
    margins = (30.0, 4.0, 1.0, 0.0, -1.0, -4.0)
    costs = [loss(certain(labels, m), labels, known(labels)).item() for m in margins]
    assert costs[0] < 1e-5
    assert costs == sorted(costs)
    assert len(set(costs)) == len(costs)
    assert costs[-1] > 0.5


def test_going_down_goes_towards_the_label(loss: Loss) -> None:
    logits, labels = make()
    found = gradient(loss, logits, labels, known(labels))
    assert (found[:, 1][labels == 1] < 0).all()
    assert (found[:, 1][labels == 0] > 0).all()


@pytest.mark.parametrize("size", [100.0, 1e4])
@pytest.mark.parametrize("right", [1, -1])
def test_extreme_logits_give_numbers(loss: Loss, size: float, right: int) -> None:
    _, labels = make()
    logits = certain(labels, size * right).requires_grad_()
    cost = loss(logits, labels, known(labels))
    assert torch.isfinite(cost)
    assert torch.isfinite(*torch.autograd.grad(cost, logits)).all()


@pytest.mark.parametrize("of", [0.0, 1.0])
def test_where_nothing_is_known_nothing_is_learnt(loss: Loss, of: float) -> None:
    logits, labels = make()
    labels.fill_(255)
    assert loss(logits, labels, of).item() == 0
    assert (gradient(loss, logits, labels, of) == 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_are_those_of_float32(loss: Loss, dtype: torch.dtype) -> None:
    logits, labels = make()
    low = logits.detach().to(dtype)
    cost = loss(low, labels, known(labels))
    assert cost.dtype == torch.float32
    assert torch.equal(cost, loss(low.float(), labels, known(labels)))


def test_cross_entropy_is_the_mean_over_known_pixels() -> None:
    logits, labels = make()
    mean = F.cross_entropy(logits, labels.long(), ignore_index=255)
    torch.testing.assert_close(LOSSES["cross_entropy"](logits, labels, known(labels)), mean)


def test_focal_is_a_weighted_cross_entropy() -> None:
    """Lin 2017, eq. 5, computed by hand for one pixel of each class."""
    logits = torch.tensor([[0.3, -0.2], [-1.1, 0.8]]).T.reshape(1, 2, 1, 2)
    p = torch.softmax(logits, dim=1)[0, :, 0].T
    none, change = p[0, 0], p[1, 1]
    wanted = 0.75 * (1 - none) ** 2 * -none.log() + 0.25 * (1 - change) ** 2 * -change.log()
    labels = torch.tensor([[[0, 1]]], dtype=torch.uint8)
    torch.testing.assert_close(focal(logits, labels, 2.0), wanted / 2)


def test_dice_is_the_share_that_does_not_overlap() -> None:
    labels = torch.zeros(2, 10, 20, dtype=torch.uint8)
    labels[:, :, :10] = 1
    found = labels.roll(5, dims=2)  # half of the 100 pixels on each side overlap
    cost = dice(certain(found, 60.0), labels, known(labels))
    assert cost.item() == pytest.approx(1 - (2 * 50 + 1) / (200 + 1), abs=1e-6)


def test_a_chip_counts_by_its_known_pixels_in_dice() -> None:
    labels = torch.zeros(2, 10, 20, dtype=torch.uint8)
    labels[:, :, :10] = 1
    found = labels.roll(10, dims=2)
    labels[1, 5:] = 255
    alone = [
        dice(certain(found[i : i + 1], 60.0), labels[i : i + 1], n)
        for i, n in ((0, 200.0), (1, 100.0))
    ]
    both = dice(certain(found, 60.0), labels, 300.0)
    torch.testing.assert_close(both, (2 * alone[0] + alone[1]) / 3)


def test_a_loss_that_is_not_there() -> None:
    assert find_loss("focal") is focal
    with pytest.raises(OptionError, match=r"optim\.loss hinge: there are cross_entropy, focal"):
        find_loss("hinge")
