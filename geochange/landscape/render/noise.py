"""Noise with the grain of land: strong over hundreds of metres, fading down to single pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float32]


def fractal_noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    longest_px: float,
    shortest_px: float = 1.0,
    slope: float = 1.6,
) -> Floats:
    """A (row, col) field of mean 0 and deviation 1 that wraps round at its edges.

    longest_px, shortest_px: the wavelengths between which it has texture; slope: how much
    stronger the long ones are (0 is white, 1.6 looks like soil, 2.5 like hills).
    """
    height, width = (fft.next_fast_len(side, real=True) for side in shape)
    white = rng.standard_normal((height, width), dtype=np.float32)
    row_freq = np.fft.fftfreq(height).astype(np.float32)[:, None]
    col_freq = np.fft.rfftfreq(width).astype(np.float32)[None, :]
    squared = row_freq**2 + col_freq**2
    gain = (squared + longest_px**-2.0) ** (-slope / 2) * np.exp(-squared * shortest_px**2)
    gain[0, 0] = 0.0
    field = fft.irfft2(fft.rfft2(white) * gain.astype(np.float32), s=(height, width))
    field = field[: shape[0], : shape[1]]
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)


def line_noise(length: int, rng: np.random.Generator, smooth_px: float) -> Floats:
    """A (length,) random walk-like track of mean 0 and deviation 1, smooth over smooth_px."""
    track = fractal_noise((1, length), rng, smooth_px * 6, smooth_px, slope=1.2)
    return np.asarray(track[0], dtype=np.float32)
