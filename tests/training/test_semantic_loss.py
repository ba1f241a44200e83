"""The semantic loss: its three terms, what is ignored, and that parts add up."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from geochange.training.losses import cross_entropy
from geochange.training.semantic_loss import SemanticLoss, class_loss, consistency_loss

CLASSES = 3
LOSS = SemanticLoss(cross_entropy, classes=0.7, consistency=0.4)


def step(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, tuple[float, float, float]]:
    """Logits, labels of which some are unknown, and the known pixels of each."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 2 + 2 * CLASSES, 6, 5, generator=draw)
    labels = torch.randint(0, 3, (4, 3, 6, 5), generator=draw).to(torch.uint8)
    labels[:, 0].clamp_(max=1)
    labels[torch.rand(labels.shape, generator=draw) < 0.3] = 255
    known = tuple((labels != 255).sum(dim=(0, 2, 3)).float().tolist())
    return logits, labels, known  # type: ignore[return-value]


def test_it_is_the_weighted_sum_of_its_terms() -> None:
    logits, labels, known = step()
    one, two = logits[:, 2:5], logits[:, 5:]
    own = [
        F.cross_entropy(x, labels[:, i].long(), ignore_index=255) for i, x in ((1, one), (2, two))
    ]
    wanted = F.cross_entropy(logits[:, :2], labels[:, 0].long(), ignore_index=255)
    wanted = wanted + 0.7 * (own[0] + own[1]) / 2
    wanted = wanted + 0.4 * consistency_loss(one, two, labels, known[0])
    torch.testing.assert_close(LOSS(logits, labels, known), wanted)


def test_losses_and_gradients_of_parts_add_up() -> None:
    logits, labels, known = step()
    whole = logits.clone().requires_grad_()
    LOSS(whole, labels, known).backward()
    parts = logits.clone().requires_grad_()
    for part in (slice(0, 1), slice(1, 4)):
        LOSS(parts[part], labels[part], known).backward()
    torch.testing.assert_close(parts.grad, whole.grad)


@pytest.mark.parametrize(
    ("label", "before", "after", "wanted"),
    [
        (0, 255, 255, 0.0),  # unchanged and alike
        (1, 0, 1, 1.0),  # changed, and called alike
        (1, 255, 255, 1.0),
        (1, 0, 0, 0.0),  # a building that replaces another
        (255, 0, 1, 0.0),
    ],
)
def test_consistency_of_dates_that_are_called_alike(
    label: int, before: int, after: int, wanted: float
) -> None:
    sure = torch.tensor([30.0, 0, 0]).view(1, 3, 1, 1)
    labels = torch.tensor([label, before, after], dtype=torch.uint8).view(1, 3, 1, 1)
    assert consistency_loss(sure, sure, labels, 1.0).item() == pytest.approx(wanted, abs=1e-5)
    other = sure.roll(1, dims=1)
    differ = 1.0 if label == 0 else 0.0
    assert consistency_loss(sure, other, labels, 1.0).item() == pytest.approx(differ, abs=1e-5)


def test_a_step_without_any_class_has_a_gradient_of_zero() -> None:
    logits = torch.randn(1, CLASSES, 2, 2, requires_grad=True)
    class_loss(logits, torch.full((1, 2, 2), 255), 0.0).backward()
    assert logits.grad is not None
    assert (logits.grad == 0).all()
