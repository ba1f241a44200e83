"""Random views: crops, rotations and colours of pictures, so that a CLIP learns from few of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional as F


def random_view(pictures: torch.Tensor, side_px: int, draw: torch.Generator) -> torch.Tensor:
    """Random crops, rotations, flips, stretches and colours of (batch, 3, s, s) uint8.

    Returns (batch, 3, side_px, side_px) float in 0-255.
    """
    x = pictures.float()
    fine = max(1, pictures.shape[-1] // (2 * side_px))
    x = F.avg_pool2d(x, fine) if fine > 1 else x
    x = F.avg_pool2d(F.pad(x, (0, 1, 0, 1), "replicate"), 2, 1)
    grid = F.affine_grid(
        _random_affines(len(x), draw), [len(x), 3, side_px, side_px], align_corners=False
    )
    x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    return _recolour(x, draw)


BATCH = 16
"""Pictures of a view that are made at once."""

HALVED_EVERY = 3
"""Every third random view has half the side."""


def plain_and_random_views(
    pictures: torch.Tensor, views: int, seed: int
) -> Iterator[Iterator[torch.Tensor]]:
    """(picture, 3, s, s) uint8 as they are, then random views of all of them, in small batches."""
    draw, side = torch.Generator().manual_seed(seed), pictures.shape[-1]
    yield iter(pictures.split(BATCH))
    for number in range(views):
        small = number % HALVED_EVERY == HALVED_EVERY - 1
        yield (
            random_view(part, side // 2 if small else side, draw) for part in pictures.split(BATCH)
        )


def _random_affines(count: int, draw: torch.Generator) -> torch.Tensor:
    """(count, 2, 3) affine maps from the crop's coordinates to the picture's, both from -1 to 1."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(count, generator=draw) * (high - low) + low

    size = uniform(0.35, 1.0).sqrt()
    shape = uniform(-0.2, 0.2).exp()
    quarter = torch.randint(4, (count,), generator=draw) * (torch.pi / 2)
    angle = quarter + uniform(-0.35, 0.35)
    flip = 1.0 - 2.0 * torch.randint(2, (count,), generator=draw)
    wide, high = size * shape * flip, size / shape
    rows = [angle.cos() * wide, -angle.sin() * high, angle.sin() * wide, angle.cos() * high]
    shift = [uniform(-1, 1) * (1 - size), uniform(-1, 1) * (1 - size)]
    return torch.stack([rows[0], rows[1], shift[0], rows[2], rows[3], shift[1]], 1).view(-1, 2, 3)


def _recolour(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Change contrast, brightness, saturation and tint."""
    count = len(x)

    def factor(width: float, channels: int = 1) -> torch.Tensor:
        drawn = torch.randn(count, channels, 1, 1, generator=draw)
        return (width * drawn).clamp(-2 * width, 2 * width).exp()

    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * factor(0.25) + mean * factor(0.2)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * factor(0.35)
    return (x * factor(0.08, 3)).clamp(0, 255)


def mix_pictures(
    pictures: torch.Tensor, labels: torch.Tensor, strength: float, draw: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix every picture with its neighbour, as a blend or a box (mixup, CutMix).

    strength: parameter of the beta distribution of the shares; 0 leaves the pictures as they are.
    Source: Zhang et al., ICLR 2018; Yun et al., ICCV 2019.
    """
    if strength <= 0:
        return pictures, labels
    concentration = np.random.default_rng(int(torch.randint(2**31, (1,), generator=draw)))
    share = float(concentration.beta(strength, strength))
    if concentration.random() < 0.5:
        mixed = share * pictures + (1 - share) * pictures.roll(1, 0)
    else:
        mixed, share = _box(pictures, share, concentration)
    return mixed, share * labels + (1 - share) * labels.roll(1, 0)


def _box(
    pictures: torch.Tensor, share: float, draw: np.random.Generator
) -> tuple[torch.Tensor, float]:
    height, width = pictures.shape[2:]
    rows, cols = (max(1, round(side * (1 - share) ** 0.5)) for side in (height, width))
    top, left = draw.integers(height - rows + 1), draw.integers(width - cols + 1)
    mixed = pictures.clone()
    part = slice(top, top + rows), slice(left, left + cols)
    mixed[:, :, *part] = pictures.roll(1, 0)[:, :, *part]
    return mixed, 1 - rows * cols / (height * width)
