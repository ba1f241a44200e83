"""Networks with a known cost, to time the code around them: standin:Free and standin:Slow."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from geochange.chip import Chip
from geochange.models.inference.batch import Batch

CHANGED_SHARE = 0.02
MOST = 4096


def _planted(side_px: int) -> torch.Tensor:
    """(side, side) logits: blobs of change that cover CHANGED_SHARE."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(side_px, side_px)), 6)
    cut = np.quantile(noise, 1 - CHANGED_SHARE)
    return torch.from_numpy(np.clip((noise - cut) * 400, -8, 8).astype(np.float32))


class Free:
    """A network without cost: the same logits for every tile, computed once."""

    bands = 3
    threshold = 0.5
    tile_seconds = 0.0

    def __init__(self) -> None:
        self.answers: dict[tuple[int, int], torch.Tensor] = {}
        self.tiles = 0

    def fit(self, sample: Sequence[Chip]) -> Mapping[str, Any]:
        return {}

    def adopt(self, statistics: Mapping[str, Any]) -> None:
        """Does nothing."""

    def change_logits(self, batch: Batch) -> torch.Tensor:
        count, height, width = batch.valid.shape
        if (height, width) not in self.answers:
            self.answers[height, width] = _planted(max(height, width))[:height, :width]
        self.tiles += count
        time.sleep(count * self.tile_seconds)
        return self.answers[height, width].expand(count, height, width)


class Slow(Free):
    """A network that blocks its device for STANDIN_MS milliseconds per tile, without using the CPU."""

    tile_seconds = float(os.environ.get("STANDIN_MS", "20")) / 1000
