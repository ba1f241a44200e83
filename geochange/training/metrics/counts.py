"""Counts: the confusion matrix of a prediction, in pixels. Counts add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.chip import UNKNOWN


@dataclass(frozen=True, slots=True)
class Counts:
    """The confusion matrix; change is the positive class."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )

    @classmethod
    def of(cls, changed: NDArray[np.bool_], label: NDArray[np.uint8]) -> Counts:
        """Compare a prediction with a label of the same shape; 255 (unknown) is ignored."""
        known, truth = label != UNKNOWN, label == 1
        positive, right = int((changed & known).sum()), int((changed & truth).sum())
        true, pixels = int(truth.sum()), int(known.sum())
        return cls(right, positive - right, true - right, pixels - positive - true + right)

    def figures(self) -> Mapping[str, float]:
        """Figures from 0 to 1.

        iou, f1, precision, recall: of the change class. accuracy: overall. miou: mean IoU of both
        classes. kappa: Cohen's kappa. A share with denominator 0 is 0.
        """
        tp, fp, fn, tn = self.tp, self.fp, self.fn, self.tn
        total = tp + fp + fn + tn
        chance = _share((tp + fp) * (tp + fn) + (tn + fn) * (tn + fp), total * total)
        accuracy = _share(tp + tn, total)
        iou = _share(tp, tp + fp + fn)
        return {
            "iou": iou,
            "f1": _share(2 * tp, 2 * tp + fp + fn),
            "precision": _share(tp, tp + fp),
            "recall": _share(tp, tp + fn),
            "accuracy": accuracy,
            "miou": (iou + _share(tn, tn + fp + fn)) / 2,
            "kappa": (accuracy - chance) / (1 - chance) if chance < 1 else 0.0,
        }

    def defined(self) -> Mapping[str, float | None]:
        """The same figures, None where the denominator is 0."""
        tp, fp, fn, tn = self.tp, self.fp, self.fn, self.tn
        change, none = tp + fp + fn > 0, tn + fp + fn > 0
        known = {
            **dict.fromkeys(("iou", "f1"), change),
            "precision": tp + fp > 0,
            "recall": tp + fn > 0,
            "accuracy": change or none,
            **dict.fromkeys(("miou", "kappa"), change and none),
        }
        return {name: value if known[name] else None for name, value in self.figures().items()}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
