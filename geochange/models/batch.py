"""Batch: chips on a device, as every network takes them; the one collate of run, train and eval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from geochange.chip import Chip


@dataclass(frozen=True, slots=True)
class Batch:
    """Chips stacked on one device.

    before, after: (batch, band, height, width), uint8 as displayed (0-255) or float32.
    valid: (batch, height, width) bool, False where either date holds no data.
    """

    before: torch.Tensor
    after: torch.Tensor
    valid: torch.Tensor

    def __len__(self) -> int:
        return int(self.valid.shape[0])


def _stack(pictures: Sequence[np.ndarray], device: torch.device) -> torch.Tensor:
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(pictures)))
    # The dtype travels as it is (uint8 is a quarter of float32 on the bus); networks cast on the device.
    return stacked.to(device, non_blocking=True).permute(0, 3, 1, 2)


def collate(chips: Sequence[Chip], device: torch.device | str = "cpu") -> Batch:
    """Stack chips of one shape into a Batch on `device`."""
    target = torch.device(device)
    valid = torch.from_numpy(np.stack([chip.valid for chip in chips])).to(target, non_blocking=True)
    return Batch(
        before=_stack([chip.before for chip in chips], target),
        after=_stack([chip.after for chip in chips], target),
        valid=valid,
    )
