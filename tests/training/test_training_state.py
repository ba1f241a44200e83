"""Training gives the same weights however a step is split, and wherever it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional as F

from geochange.errors import InputError, RunError
from geochange.training.training_state import OptimizerSettings, TrainingState

pytestmark = pytest.mark.slow


class Net(nn.Module):
    """In the form of a TrainableChangeClip: the saved part is called `network`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.network = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.Conv2d(4, 2, 1)
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.network(pictures)


@dataclass
class Part:
    pictures: torch.Tensor
    labels: torch.Tensor

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        return (self.pictures,)

    @property
    def known(self) -> int:
        return int((self.labels != 255).sum())


def loss(logits: torch.Tensor, labels: torch.Tensor, known: float) -> torch.Tensor:
    return F.cross_entropy(logits, labels.long(), ignore_index=255, reduction="sum") / known


def part(step: int, chips: slice = slice(None)) -> Part:
    random = torch.Generator().manual_seed(step)
    pictures = torch.rand(4, 3, 8, 8, generator=random)
    labels = (pictures[:, 0] > 0.5).to(torch.uint8)
    labels[0, :4] = 255  # parts of a step differ in their number of known pixels
    return Part(pictures[chips], labels[chips])


def student(**changes: Any) -> TrainingState:
    course = OptimizerSettings(loss, lambda step: 0.01 * 0.99**step, **changes)
    net = Net()
    groups = [{"params": list(net.parameters()), "weight_decay": 0.01}]
    return TrainingState(Fabric(accelerator="cpu", devices=1), net, groups, course)


def weights(of: TrainingState) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in of.best_network.state_dict().values()])


def test_micro_batches_change_nothing() -> None:
    whole, split = student(), student()
    for step in range(3):
        one = whole.learn(step, [part(step)])
        other = split.learn(step, [part(step, slice(0, 1)), part(step, slice(1, 4))])
        assert one == pytest.approx(other, abs=1e-6)
    torch.testing.assert_close(weights(whole), weights(split), atol=1e-6, rtol=0)


def test_an_average_keeps_what_a_mask_hides() -> None:
    pupil = student(ema=0.5)
    assert pupil._average is not None
    module, average = pupil.module, pupil.best_module
    for net in (module, average):
        hides = torch.full((2, 2), float("-inf")).triu(1)
        net.register_buffer("mask", hides, persistent=False)
    for step in range(3):
        pupil.learn(step, [part(step)])
    torch.testing.assert_close(average.mask, module.mask)


def test_a_gradient_without_end_ends_the_training_before_it_is_learnt_from() -> None:
    def steep(logits: torch.Tensor, labels: torch.Tensor, known: float) -> torch.Tensor:
        # sqrt has an infinite slope at 0, but a finite value.
        return loss(logits, labels, known) + torch.sqrt(logits.abs().sum() * 0)

    pupil = student(clip_norm=1.0)
    before = weights(pupil)
    pupil.settings = replace(pupil.settings, loss=steep)
    with pytest.raises(RunError, match="step 1: the gradient is nan; the training diverges"):
        pupil.learn(0, [part(0)])
    assert torch.equal(weights(pupil), before)


def test_the_loss_goes_down() -> None:
    pupil = student()
    losses = [pupil.learn(step, [part(0)]) for step in range(30)]
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_going_on_gives_the_same_bits(ema: float) -> None:
    through = student(ema=ema)
    for step in range(6):
        through.learn(step, [part(step)])
    first = student(ema=ema)
    for step in range(3):
        first.learn(step, [part(step)])
    kept = {name: value.clone() for name, value in first.state().items()}
    network = {name: value.clone() for name, value in first.best_network.state_dict().items()}
    second = student(ema=ema)
    second.best_network.load_state_dict(network)
    second.restore(kept)
    for step in range(3, 6):
        second.learn(step, [part(step)])
    assert torch.equal(weights(through), weights(second))
    assert torch.equal(
        *(
            torch.cat([p.detach().flatten() for p in pupil.module.parameters()])
            for pupil in (through, second)
        )
    )


def test_the_average_is_what_is_judged() -> None:
    plain, averaged = student(), student(ema=0.99)
    for step in range(5):
        plain.learn(step, [part(step)])
        averaged.learn(step, [part(step)])
    raw = torch.cat([p.detach().flatten() for p in averaged.module.network.parameters()])
    assert torch.equal(weights(plain), raw)
    assert not torch.equal(weights(averaged), raw)


def test_a_step_of_which_nothing_is_known_teaches_nothing_but_decay() -> None:
    pupil = student()
    blank = part(0)
    blank.labels.fill_(255)
    assert pupil.learn(0, [blank]) == 0.0
    assert torch.isfinite(weights(pupil)).all()


def test_gradients_are_clipped() -> None:
    free, held = student(), student(clip_norm=1e-12)
    before = weights(free)
    for pupil in (free, held):
        pupil.learn(0, [part(0)])
    # A step of Adam has the size of its rate for any gradient that is not far below epsilon.
    moved, barely = ((weights(pupil) - before).abs().max() for pupil in (free, held))
    assert moved > 5e-3 and barely < 2e-3


def test_a_loss_that_is_no_number_ends_the_training_and_nothing_is_learnt_from_it() -> None:
    pupil = student()
    pupil.learn(0, [part(0)])
    before, blown = weights(pupil).clone(), part(1)
    blown.pictures.mul_(torch.inf)
    with pytest.raises(RunError, match=r"step 2: the loss is nan; .*optim\.lr"):
        pupil.learn(1, [blown])
    assert torch.equal(weights(pupil), before)


def test_weights_that_are_no_numbers_are_not_passed_on() -> None:
    pupil = student()
    pupil.check(1)
    with torch.no_grad():
        next(pupil.module.parameters()).view(-1)[0] = torch.nan
    with pytest.raises(RunError, match=r"step 7: network\.0\.weight is no longer finite"):
        pupil.check(7)


def test_what_another_network_left_is_refused() -> None:
    pupil = student()
    pupil.learn(0, [part(0)])
    kept = pupil.state()
    kept.pop(next(name for name in kept if name.endswith("exp_avg")))
    with pytest.raises(InputError, match="of another network"):
        student().restore(kept)
