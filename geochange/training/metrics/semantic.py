"""Semantic counts: the confusion matrix of changes between classes, in pixels, and its figures.

Sources: SeK, mIoU and their score: Yang et al., Asymmetric siamese networks for semantic change
detection in aerial images, IEEE TGRS 60 (2022), doi 10.1109/TGRS.2021.3113912, sec. IV-B. F_scd:
Ding et al., Bi-temporal semantic reasoning for the semantic change detection in HR remote sensing
images, IEEE TGRS 60 (2022), doi 10.1109/TGRS.2022.3154390, sec. IV-B.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNKNOWN

MIOU_WEIGHT, SEK_WEIGHT = 0.3, 0.7
"""Of the published score, 0.3 mIoU + 0.7 SeK."""


@dataclass(frozen=True)
class SemanticCounts:
    """Pixels of both dates by what was predicted (row) and what is true (column).

    matrix: (C + 1, C + 1) int64. Number 0 is "no change"; the classes come after it. A pixel counts
    twice, once with its class before and once with its class after. Counts add up.
    """

    matrix: NDArray[np.int64]

    def __add__(self, other: SemanticCounts) -> SemanticCounts:
        return SemanticCounts(self.matrix + other.matrix)

    @classmethod
    def none(cls, classes: int) -> SemanticCounts:
        """No pixels yet."""
        return cls(np.zeros((classes + 1, classes + 1), np.int64))

    @classmethod
    def of(
        cls,
        changed: NDArray[np.bool_],
        land: NDArray[np.uint8],
        label: NDArray[np.uint8],
        truth: NDArray[np.uint8],
        classes: int,
    ) -> SemanticCounts:
        """Compare a prediction with labels.

        changed: (height, width) predicted change. land: (2, height, width) predicted numbers of
        classes. label, truth: as Chip.label and Chip.land. Pixels of unknown label are ignored, and so
        are changed ones of unknown class at that date. A pixel that is predicted as changed and has no
        predicted class counts as predicted unchanged.
        """
        found = np.where(changed & (land < classes), land.astype(np.int64) + 1, 0)
        real = np.where(label == CHANGED, truth.astype(np.int64) + 1, 0)
        known = (label != UNKNOWN) & ((label != CHANGED) | (truth < classes))
        cells = found[known] * (classes + 1) + real[known]
        counts = np.bincount(cells, minlength=(classes + 1) ** 2)
        return cls(counts.reshape(classes + 1, classes + 1).astype(np.int64))

    def figures(self) -> dict[str, float]:
        """Figures from 0 to 1; `sek` can be below 0. A share with denominator 0 is 0.

        scd_miou: mean of the IoU of no change and of all change. sek: separated kappa. scd_score: 0.3
        scd_miou + 0.7 sek. fscd, scd_precision, scd_recall: of pixels found changed, or changed, those
        with the right class.
        """
        q = self.matrix.astype(np.float64)
        quiet, total = q[0, 0], q.sum()
        iou_still = _share(quiet, q[0].sum() + q[:, 0].sum() - quiet)
        iou_change = _share(q[1:, 1:].sum(), total - quiet)
        precision = _share(np.trace(q) - quiet, q[1:].sum())
        recall = _share(np.trace(q) - quiet, q[:, 1:].sum())
        miou = (iou_still + iou_change) / 2
        sek = math.exp(iou_change - 1) * _kappa_without_quiet(q)
        return {
            "scd_score": MIOU_WEIGHT * miou + SEK_WEIGHT * sek,
            "sek": sek,
            "fscd": _share(2 * precision * recall, precision + recall),
            "scd_miou": miou,
            "scd_precision": precision,
            "scd_recall": recall,
        }

    def by_class(self, names: tuple[str, ...]) -> Mapping[str, Mapping[str, float | int]]:
        """`iou`, `f1` and `pixels` of each class; pixels: how many are truly of it."""
        own = np.diag(self.matrix)[1:]
        found, real = self.matrix[1:].sum(axis=1), self.matrix[:, 1:].sum(axis=0)
        return {
            name: {
                "iou": _share(both, rows + columns - both),
                "f1": _share(2 * both, rows + columns),
                "pixels": columns,
            }
            for name, both, rows, columns in zip(
                names, own.tolist(), found.tolist(), real.tolist(), strict=True
            )
        }


def _kappa_without_quiet(q: NDArray[np.float64]) -> float:
    """Cohen's kappa without the pixels that are rightly called unchanged, which are most of all."""
    rest = q.copy()
    rest[0, 0] = 0
    total = rest.sum()
    right = _share(np.trace(rest), total)
    chance = _share((rest.sum(axis=0) * rest.sum(axis=1)).sum(), total * total)
    return (right - chance) / (1 - chance) if chance < 1 else 0.0


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
