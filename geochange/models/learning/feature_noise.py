"""Feature noise: changes that are planted into what the tower saw of one date, not into its pixels.

Within random outlines, the features of the date after move at random, by the spread that each channel has
in the batch. What moved there is labelled as change. So the network learns to see changes that nobody
painted. Source: Rolih et al., Make Some Noise, 2026, arXiv 2602.19881, which also moves features of both
dates without a label; the real visits that are planted into do that here.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from geochange.chip import UNKNOWN
from geochange.models.learning.labelled_batch import LabelledBatch, LabelledChip, collate_labelled

COARSE = 5
"""Numbers a side, from which smooth outlines are drawn."""

COVERED = 0.02, 0.3
"""The smallest and the largest share of a chip within the outlines."""

STRENGTH = 0.7, 2.0
"""How far features move, in deviations of their channels."""

GRAIN = 0.5
"""How much of it differs from place to place within the outlines."""


def collate_with_noise(chips: Sequence[LabelledChip], places: int, share: float) -> LabelledBatch:
    """As `collate_labelled`, with feature noise for this share of the chips."""
    lesson = collate_labelled(chips, places)
    return with_feature_noise(lesson, share) if share else lesson


def with_feature_noise(lesson: LabelledBatch, share: float) -> LabelledBatch:
    """The batch with outlines for this share of its chips, and their labels.

    They depend on the pixels of each chip alone, so a resumed training draws the same.
    """
    masks = torch.stack([_outlines(chip, share) for chip in lesson.before])
    planted = (masks > 0) & (lesson.labels != UNKNOWN)
    labels = torch.where(planted, torch.ones_like(lesson.labels), lesson.labels)
    return LabelledBatch(lesson.batch, labels, lesson.tokens, lesson.texts, masks)


def _outlines(picture: torch.Tensor, share: float) -> torch.Tensor:
    """(H, W) float32, how far features move there in deviations; 0 for the other chips."""
    draw = np.random.default_rng(zlib.crc32(picture.cpu().numpy().tobytes()))
    height, width = picture.shape[1:]
    if draw.random() >= share:
        return torch.zeros(height, width)
    coarse = torch.from_numpy(draw.standard_normal((1, 1, COARSE, COARSE)).astype(np.float32))
    smooth = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)[0, 0]
    covered, strength = draw.uniform(*COVERED), draw.uniform(*STRENGTH)
    return torch.where(smooth >= smooth.flatten().quantile(1 - covered), float(strength), 0.0)


def move_features(pyramid: Sequence[torch.Tensor], masks: torch.Tensor) -> list[torch.Tensor]:
    """The maps (B, channels, h, w) of one date, moved within masks (B, H, W) of `with_feature_noise`."""
    return [_move(level, masks) for level in pyramid]


def _move(level: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    there = F.interpolate(masks[:, None], size=level.shape[2:], mode="area")
    spread = level.detach().float().std(dim=(0, 2, 3), keepdim=True)
    count, channels = level.shape[:2]
    noise = torch.randn(count, channels, 1, 1, device=level.device)
    noise = noise + GRAIN * torch.randn(level.shape, device=level.device)
    return level + (there * spread * noise).to(level.dtype)
