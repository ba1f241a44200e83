"""Bands of a network as RGB in 0-255: for CLIP, which names what it sees, and for people."""

from __future__ import annotations

import numpy as np
import torch

from geochange.chip import Chip
from geochange.models.bands.input_bands import InputBands
from geochange.models.inference.batch import Batch

SHOWN_DEVIATIONS = 2.0
"""Black and white lie so many deviations from the mean of a band."""


def shown_places(bands: InputBands) -> tuple[int, int, int]:
    """The places of the bands that are shown as red, green and blue.

    They are those of the card, else the first three, or the first alone as grey.
    """
    some = bands.rgb or tuple(range(len(bands)))[:3]
    first, second, third = some if len(some) == 3 else some[:1] * 3
    return first, second, third


def shown_rgb(pictures: torch.Tensor, bands: InputBands) -> torch.Tensor:
    """(B, bands, H, W) -> (B, 3, H, W) float32 of whole numbers from 0 to 255.

    The stretch is that of the card, so a picture does not depend on itself or on its neighbours.
    """
    planes = []
    for place in shown_places(bands):
        middle, half = bands.mean[place], SHOWN_DEVIATIONS * bands.std[place]
        planes.append(((pictures[:, place].float() - middle) / half + 1) * 127.5)
    return torch.stack(planes, dim=1).round().clamp(0, 255)


def shown_batch(batch: Batch, bands: InputBands | None) -> Batch:
    """A batch as RGB in 0-255; None is RGB already."""
    if bands is None:
        return batch
    return Batch(shown_rgb(batch.before, bands), shown_rgb(batch.after, bands), batch.valid)


def shown_chip(chip: Chip, bands: InputBands | None) -> Chip:
    """A chip as 8-bit RGB; None is RGB already."""
    if bands is None:
        return chip
    dates = np.stack([chip.before, chip.after]).astype(np.float32)
    shown = shown_rgb(torch.from_numpy(dates).permute(0, 3, 1, 2), bands).permute(0, 2, 3, 1)
    before, after = np.ascontiguousarray(shown.numpy()).astype(np.uint8)
    return Chip(before, after, chip.valid, chip.label)
