"""Camera: light, air, optics, sensor and compression, which differ between any two visits."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch.nn import functional as F

from geochange.training.planting.outlines import Colours, waves

GREY = np.array([0.3, 0.59, 0.11], np.float32)


@dataclass(frozen=True, slots=True)
class Nuisances:
    """How much two visits may differ where nothing changed; 1 is the usual amount.

    light: of brightness, contrast, colour and vegetation. air: of haze. optics: of blur, noise and
    compression. place: of shift and warp.
    """

    light: float = 1.0
    air: float = 1.0
    optics: float = 1.0
    place: float = 1.0


def photograph(
    colours: Colours, nuisances: Nuisances, draw: np.random.Generator
) -> NDArray[np.uint8]:
    """Photograph a view: (side, side, 3) colours 0-255 under random conditions."""
    x = _shift_date(colours, nuisances.place, draw)
    x = _change_light(x, nuisances.light, draw)
    x = _add_haze(x, nuisances.air, draw)
    return _sensor_image(x, nuisances.optics, draw)


def _shift_date(colours: Colours, amount: float, draw: np.random.Generator) -> Colours:
    """Shift by about a pixel, and warp a little."""
    side = len(colours)
    by = draw.normal(0, 0.9 * amount, 2)
    bend = amount * draw.uniform(0, 1.2) * (draw.random() < 0.5)
    field = [by[axis] + bend * waves(side, side / 2, draw) for axis in (0, 1)]
    centres = (np.arange(side, dtype=np.float32) * 2 + 1) / side - 1
    across, down = np.meshgrid(centres, centres)
    grid = np.stack([across + field[1] * 2 / side, down + field[0] * 2 / side], -1)
    picture = torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))[None]
    moved = F.grid_sample(
        picture,
        torch.from_numpy(grid.astype(np.float32))[None],
        mode="bilinear",
        padding_mode="reflection",
        align_corners=False,
    )
    return np.asarray(moved[0].numpy().transpose(1, 2, 0))


def _change_light(x: Colours, amount: float, draw: np.random.Generator) -> Colours:
    """Change vegetation, exposure, contrast, white balance, saturation and gamma."""
    strong = amount * (1.8 if draw.random() < 0.15 else 1.0)
    x = _change_vegetation(x, amount, draw)
    mean = x.mean()
    gain = np.exp(draw.normal(0, 0.16 * strong))
    x = (x - mean) * np.exp(draw.normal(0, 0.16 * strong)) + mean * gain
    balance = np.exp(draw.normal(0, 0.06 * strong, 3))
    x = x * balance.astype(np.float32) + draw.normal(0, 6 * strong)
    grey = (x @ GREY)[..., None]
    x = grey + (x - grey) * np.exp(draw.normal(0, 0.25 * strong))
    power = np.exp(draw.normal(0, 0.16 * strong))
    return np.asarray(255 * (np.clip(x, 0, 255) / 255) ** power, np.float32)


def _change_vegetation(x: Colours, amount: float, draw: np.random.Generator) -> Colours:
    """Make green fresher or drier."""
    green = np.clip((2 * x[..., 1] - x[..., 0] - x[..., 2]) / 60, 0, 1)[..., None]
    season = np.exp(draw.normal(0, 0.12 * amount, 3)).astype(np.float32)
    return np.asarray(x * (1 + green * (season - 1)), np.float32)


def _add_haze(x: Colours, amount: float, draw: np.random.Generator) -> Colours:
    """Add haze, or the shadow of a cloud, in places."""
    if draw.random() > 0.2 * amount:
        return x
    side = len(x)
    thick = np.clip(waves(side, side * draw.uniform(0.3, 1), draw) + draw.uniform(-0.3, 0.6), 0, 1)
    colour = draw.uniform(200, 250) if draw.random() < 0.6 else draw.uniform(0, 40)
    veil = (thick * draw.uniform(0.1, 0.4))[..., None].astype(np.float32)
    return np.asarray(x + veil * (colour - x), np.float32)


def _sensor_image(x: Colours, amount: float, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Blur or sharpen, add noise, and compress as JPEG."""
    if draw.random() < 0.5 * amount:
        blurred = ndimage.gaussian_filter(x, (*[draw.uniform(0.3, 1.1)] * 2, 0))
        x = blurred if draw.random() < 0.75 else x + draw.uniform(0.2, 0.8) * (x - blurred)
    if draw.random() < 0.4 * amount:
        x = x + draw.uniform(1, 6) * draw.standard_normal(x.shape).astype(np.float32)
    if draw.random() < 0.04 * amount:
        x = np.repeat((x @ GREY)[..., None], 3, axis=2)
    pixels = np.clip(np.rint(x), 0, 255).astype(np.uint8)
    if draw.random() < 0.4 * amount:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=int(draw.integers(40, 95)))
        pixels = np.asarray(Image.open(stream))
    return pixels
