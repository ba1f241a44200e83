"""Augmentation of other bands than RGB in 0-255: brightness, contrast and the speckle of a radar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geochange.chip import Pixels

RANGE_DEVIATIONS = 4.0
"""What the 255 steps of a brightness stand for, in deviations of a band."""


@dataclass(frozen=True, slots=True)
class BandJitter:
    """How bands of a date may change, each by itself.

    mean, std: of each band. probability: of either change. brightness: most that is added, of 255.
    contrast: distances from the mean are multiplied by 1 less to 1 plus this.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    probability: float
    brightness: float
    contrast: float

    def apply(self, picture: Pixels, draw: np.random.Generator) -> Pixels:
        """(height, width, band) -> float32 of the same shape."""
        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))
        chosen = draw.random(2) < self.probability
        moved, scaled = draw.uniform(-1, 1, (2, len(mean))) * chosen[:, None]
        added = moved * self.brightness / 255 * RANGE_DEVIATIONS * std
        changed = (picture - mean) * (1 + scaled * self.contrast) + mean + added
        return np.asarray(changed, np.float32)


def add_speckle(picture: Pixels, looks: float, draw: np.random.Generator) -> Pixels:
    """Multiply the power of (height, width, band) decibels by multi-look speckle of mean 1.

    Speckle of L looks is gamma-distributed with shape L and scale 1 / L, independent of the signal
    (Goodman, J. Opt. Soc. Am. 66, 1976, 1145-1150). Each pixel and band has its own.
    """
    power = draw.gamma(looks, 1 / looks, picture.shape)
    least = np.finfo(np.float32).tiny
    return np.asarray(picture + 10 * np.log10(np.maximum(power, least)), np.float32)
