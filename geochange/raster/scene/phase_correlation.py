"""Phase correlation: the shift between two pictures, to a fraction of a pixel.

The peak of the correlation by phase alone is found in whole pixels first (Kuglin and Hines 1975). Around
it, the correlation is computed in finer steps (Guizar-Sicairos 2008, doi 10.1364/OL.33.000156).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SEARCH_PX = 1.5
"""The width of the square around the whole-pixel peak in which finer steps are tried."""

LEAST_AMPLITUDE = 100
"""Amplitudes below so many times the precision of the numbers are noise. Their phase counts less."""

Picture = NDArray[np.float32]
Spectrum = NDArray[Any]
"""(rows, cols) complex64."""


def phase_shift(one: Picture, other: Picture, steps_per_px: int) -> tuple[float, float]:
    """(rows, cols) by which `other` must move to match `one`, in multiples of 1 / steps_per_px.

    one, other: (rows, cols) of equal shape, with means of 0 and faded out at the border.
    """
    from scipy.fft import fft2, ifft2

    product = fft2(one) * fft2(other).conj()
    noise = LEAST_AMPLITUDE * np.finfo(product.real.dtype).eps
    product /= np.maximum(np.abs(product), noise)
    row, col = _peak(ifft2(product))
    rows, cols = product.shape
    whole = row - rows * (row > rows // 2), col - cols * (col > cols // 2)
    return _refine(product, whole, steps_per_px)


def _peak(correlation: Spectrum) -> tuple[int, int]:
    row, col = np.unravel_index(np.argmax(np.abs(correlation)), correlation.shape)
    return int(row), int(col)


def _refine(product: Spectrum, whole: tuple[int, int], per_px: int) -> tuple[float, float]:
    """The peak of the correlation near a whole-pixel shift."""
    count = int(np.ceil(SEARCH_PX * per_px))
    firsts = [near * per_px - int(SEARCH_PX * per_px / 2) for near in whole]
    fine = np.fft.fftshift(product)
    for first in reversed(firsts):
        fine = _transform_between(fine, first / per_px, 1 / per_px, count).T
    row, col = _peak(fine)
    return (firsts[0] + row) / per_px, (firsts[1] + col) / per_px


def _transform_between(spectrum: Spectrum, start: float, step: float, count: int) -> Spectrum:
    """The inverse Fourier transform along the last axis, at `count` positions between the pixels.

    spectrum: its frequencies ascend. Values are right but for their phase and a factor. It is a
    convolution with a chirp (Bluestein 1970, doi 10.1109/TAU.1970.1162132), without a product of
    matrices: threads of BLAS would wait for each other in a loop.
    """
    from scipy.fft import fft, ifft, next_fast_len

    length = spectrum.shape[-1]
    here, size = np.arange(length), next_fast_len(length + count - 1)
    chirp = np.exp(1j * np.pi * step / length * np.arange(max(length, count)) ** 2)
    turned = spectrum * (chirp[:length] * np.exp(2j * np.pi * start / length * here))
    answer = np.zeros(size, np.complex64)
    answer[:count] = chirp[:count].conj()
    answer[size - length + 1 :] = chirp[1:length][::-1].conj()
    return np.asarray(ifft(fft(turned.astype(np.complex64), size) * fft(answer))[..., :count])
