"""Losses: what a network minimises, as sums over the parts of a step.

A loss gets a part of the chips of a step and the number of known pixels of the whole step. The
losses of all parts add up to the loss of the step, and so do their gradients, however the step is
split into micro-batches and devices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch.nn import functional as F

from geochange.chip import UNKNOWN
from geochange.errors import OptionError

Loss = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
"""(logits, labels, known) -> scalar.

logits: (batch, 2, height, width), class 1 = change. labels: (batch, height, width) uint8: 0, 1, or
255 = unknown, which is ignored. known: known pixels of the whole step. Computed in float32.
"""

FOCUS, BALANCE = 2.0, 0.25
"""Parameters of the focal loss, as published: gamma, and alpha of the change class."""

SMOOTH_PX = 1.0
"""Added to numerator and denominator of the dice loss, so that it is defined without change."""


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, known: float) -> torch.Tensor:
    """The mean of -log p over known pixels, p being the probability of the true class."""
    total = F.cross_entropy(logits.float(), labels.long(), ignore_index=UNKNOWN, reduction="sum")
    return total / _at_least_one(known)


def focal(logits: torch.Tensor, labels: torch.Tensor, known: float) -> torch.Tensor:
    """The mean of -alpha (1 - p)^gamma log p over known pixels.

    Source: Lin et al., Focal loss for dense object detection, ICCV 2017, eq. 5.
    """
    truth = labels == 1
    own = F.log_softmax(logits.float(), dim=1)
    log_p = torch.where(truth, own[:, 1], own[:, 0])
    weight = torch.where(truth, BALANCE, 1 - BALANCE) * (labels != UNKNOWN)
    return (weight * (-torch.expm1(log_p)) ** FOCUS * -log_p).sum() / _at_least_one(known)


def dice(logits: torch.Tensor, labels: torch.Tensor, known: float) -> torch.Tensor:
    """1 minus the soft Dice coefficient of change, chip by chip, averaged over known pixels.

    A chip counts by its share of the step's known pixels, so the sum does not depend on which chips
    are in one micro-batch.
    Source: Drozdzal et al., The importance of skip connections, LABELS 2016, eq. 1.
    """
    seen = labels != UNKNOWN
    truth, p = (labels == 1).float(), logits.float().softmax(dim=1)[:, 1] * seen
    both = (p * truth).sum(dim=(1, 2))
    either = p.sum(dim=(1, 2)) + truth.sum(dim=(1, 2))
    apart = 1 - (2 * both + SMOOTH_PX) / (either + SMOOTH_PX)
    return (apart * seen.sum(dim=(1, 2))).sum() / _at_least_one(known)


def cross_entropy_dice(logits: torch.Tensor, labels: torch.Tensor, known: float) -> torch.Tensor:
    """The sum of cross-entropy and dice."""
    return cross_entropy(logits, labels, known) + dice(logits, labels, known)


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": cross_entropy,
    "focal": focal,
    "cross_entropy+dice": cross_entropy_dice,
}
"""Losses by name; the first is the published one."""


def find_loss(name: str) -> Loss:
    """A loss by its name. Raises OptionError."""
    if name not in LOSSES:
        raise OptionError(f"optim.loss {name}: there are {', '.join(LOSSES)}")
    return LOSSES[name]


def _at_least_one(known: float) -> float:
    """At least 1, so that a step without known pixels has the loss 0 and not NaN."""
    return max(1.0, known)
