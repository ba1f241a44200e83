"""Semantic loss: change, what stands on each pixel at both dates, and agreement of both.

Source: Ding et al., Bi-temporal semantic reasoning for the semantic change detection in HR remote
sensing images (Bi-SRNet), IEEE TGRS 60 (2022), doi 10.1109/TGRS.2022.3154390, sec. III-D. SCanNet
(Ding et al. 2024, doi 10.1109/TGRS.2024.3362795) keeps these three terms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from geochange.chip import CHANGED, UNKNOWN
from geochange.training.losses import Loss

CHANGE_CHANNELS = 2
"""The logits of "no change" and "change", before those of the classes of both dates."""

Known = tuple[float, float, float]
"""Known pixels of the whole step: of change, of the classes before, and of those after."""


@dataclass(frozen=True)
class SemanticLoss:
    """The sum of three terms; it is split into parts as the losses in `losses.py` are.

    change: the loss of change. classes, consistency: weights of the other two terms; 1 as published.
    """

    change: Loss
    classes: float = 1.0
    consistency: float = 1.0

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, known: Known) -> torch.Tensor:
        """A scalar.

        logits: (batch, 2 + 2 C, height, width): no change and change, then the C classes before, then
        those after. labels: (batch, 3, height, width) uint8, see LabelledBatch.
        """
        change, land = logits[:, :CHANGE_CHANNELS], logits[:, CHANGE_CHANNELS:].float()
        dates = land.chunk(2, dim=1)
        total = self.change(change, labels[:, 0], known[0])
        if self.classes:
            terms = zip(dates, labels[:, 1:].unbind(1), known[1:], strict=True)
            total = total + self.classes * sum(class_loss(*each) for each in terms) / 2
        if self.consistency:
            before, after = dates
            agreeing = consistency_loss(before, after, labels, known[0])
            total = total + self.consistency * agreeing
        return total


def class_loss(logits: torch.Tensor, classes: torch.Tensor, known: float) -> torch.Tensor:
    """The mean of -log p of the true class of one date, over the pixels whose class is known.

    Where labels tell classes of changed pixels alone, as SECOND does, these are the changed pixels.
    """
    total = F.cross_entropy(logits, classes.long(), ignore_index=UNKNOWN, reduction="sum")
    return total / max(1.0, known)


def consistency_loss(
    before: torch.Tensor, after: torch.Tensor, labels: torch.Tensor, known: float
) -> torch.Tensor:
    """The mean over known pixels of 1 - cos where nothing changed, and of max(0, cos) where it did.

    cos: of the class probabilities of both dates. Changed pixels with one class at both dates, such as
    a building that replaces another, count 0.
    """
    alike = F.cosine_similarity(before.softmax(dim=1), after.softmax(dim=1), dim=1)
    change, one, two = labels.unbind(1)
    apart = (change == CHANGED) & ~((one == two) & (one != UNKNOWN))
    still = (change != CHANGED) & (change != UNKNOWN)
    return ((1 - alike) * still + alike.clamp(min=0) * apart).sum() / max(1.0, known)
