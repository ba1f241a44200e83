"""Batch: stacked chips on a device; the only collate of run, train and evaluate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.models.bands.input_bands import InputBands


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

    def __getitem__(self, part: slice) -> Batch:
        """A slice of the chips, without a copy."""
        return Batch(self.before[part], self.after[part], self.valid[part])

    def to(self, device: torch.device) -> Batch:
        """The same chips on a device; from pinned memory the copy is asynchronous."""
        # Pixels keep their dtype, because uint8 is a quarter of float32 on the bus. Networks convert them
        # on the device.
        before, after, valid = (
            date.to(device, non_blocking=True) for date in (self.before, self.after, self.valid)
        )
        return Batch(before, after, valid)


def _stack(arrays: Sequence[NDArray[Any]], pinned: bool) -> torch.Tensor:
    kind = torch.from_numpy(np.empty(0, arrays[0].dtype)).dtype
    stacked = torch.empty((len(arrays), *arrays[0].shape), dtype=kind, pin_memory=pinned)
    np.stack(arrays, out=stacked.numpy())
    return stacked


def stack(chips: Sequence[Chip], pinned: bool = False) -> Batch:
    """Stack chips of one shape in host memory, pinned for copies to a GPU.

    Bands stay innermost in memory, which is channels_last in torch.
    """
    before, after = (
        _stack(date, pinned).permute(0, 3, 1, 2)
        for date in ([chip.before for chip in chips], [chip.after for chip in chips])
    )
    return Batch(before, after, _stack([chip.valid for chip in chips], pinned))


def collate(chips: Sequence[Chip], device: torch.device | str = "cpu") -> Batch:
    """Stack chips of one shape into a Batch on `device`."""
    return stack(chips).to(torch.device(device))


def logits_by_chip(predict: Callable[[Chip], NDArray[np.float32]], batch: Batch) -> torch.Tensor:
    """(batch, height, width) of a model that takes chips one by one, on the device of the batch."""
    dates = (date.permute(0, 2, 3, 1).cpu().numpy() for date in (batch.before, batch.after))
    chips = map(Chip, *dates, batch.valid.cpu().numpy())
    logits = [torch.from_numpy(predict(chip)) for chip in chips]
    return torch.stack(logits).to(batch.valid.device)


def check_rgb(batch: Batch) -> None:
    """Refuse batches that are not RGB in 0-255 at both dates. Raises InputError."""
    for date in (batch.before, batch.after):
        if date.ndim != 4 or date.shape[1] != 3 or date.shape != batch.before.shape:
            raise InputError(f"pixels of shape {tuple(date.shape)}: RGB of both dates is needed")
        if date.dtype == torch.uint8 or not len(date):
            continue
        low, high = (float(edge) for edge in date.float().aminmax())
        if not (low >= 0.0 and high <= 255.0):
            raise InputError(
                f"pixels from {low:g} to {high:g}: ChangeCLIP takes 8-bit RGB, so stretch the "
                "rasters to 0-255 first"
            )


def check_pixels(batch: Batch, bands: InputBands | None) -> None:
    """Refuse batches without the bands of a network; None is RGB in 0-255. Raises InputError."""
    if bands is None:
        check_rgb(batch)
        return
    for date in (batch.before, batch.after):
        if date.ndim != 4 or date.shape[1] != len(bands) or date.shape != batch.before.shape:
            raise InputError(
                f"pixels of shape {tuple(date.shape)}: the network takes {', '.join(bands.names)}"
            )
