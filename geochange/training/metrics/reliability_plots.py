"""Reliability diagrams: how often pixels changed, by their stated probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from geochange.picture_drawing import (
    BLUE,
    FAINT,
    INK,
    PAPER,
    RULE,
    SKY,
    VERMILION,
    Colour,
    font,
    save_png,
)
from geochange.training.metrics.calibration import Reliability

OVERSAMPLING = 3
"""Oversampling: everything is drawn so much larger and then shrunk, for smooth lines."""

_SIZE = 560, 660
_LEFT, _RIGHT = 84, 532
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class _Axes:
    """Axes in a picture: 0 to 1 from left to right and from bottom to top."""

    draw: ImageDraw.ImageDraw
    top: int
    bottom: int

    def x(self, value: float) -> float:
        return OVERSAMPLING * (_LEFT + value * (_RIGHT - _LEFT))

    def y(self, value: float) -> float:
        return OVERSAMPLING * (self.bottom - value * (self.bottom - self.top))

    def bar(self, left: float, right: float, height: float, colour: Colour) -> None:
        if height > 0:
            gap = OVERSAMPLING
            box = self.x(left) + gap, self.y(height), self.x(right) - gap, self.y(0)
            self.draw.rectangle(box, colour)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
        points = [(self.x(x), self.y(y)) for x, y in (start, end)]
        self.draw.line(points, colour, OVERSAMPLING)

    def write(self, x: float, y: float, text: str, anchor: str, shift_px: tuple[int, int]) -> None:
        place = self.x(x) + OVERSAMPLING * shift_px[0], self.y(y) + OVERSAMPLING * shift_px[1]
        self.draw.text(place, text, INK, font(13 * OVERSAMPLING), anchor=anchor)

    def frame(self) -> None:
        box = self.x(0), self.y(1), self.x(1), self.y(0)
        self.draw.rectangle(box, outline=FAINT, width=OVERSAMPLING)


def write_reliability(path: Path, reliability: Reliability, of: str = "pixels") -> None:
    """Write the diagram as a PNG, whole or not at all. Raises OutputError.

    Above: the share of pixels that changed in each bin of probability, with the calibration error
    in the title. Below: the number of pixels on a logarithmic scale. of: what was counted.
    """
    save_png(draw_reliability(reliability, of), path)


def draw_reliability(reliability: Reliability, of: str = "pixels") -> Image.Image:
    """The diagram as a picture; see `write_reliability`."""
    width, height = _SIZE
    picture = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), PAPER)
    draw = ImageDraw.Draw(picture)
    title = f"Calibration error (ECE) {reliability.ece:.4f}"
    draw.text(
        (_LEFT * OVERSAMPLING, 28 * OVERSAMPLING), title, INK, font(18 * OVERSAMPLING), anchor="lm"
    )
    _draw_shares(_Axes(draw, top=82, bottom=440), reliability)
    _draw_pixels(_Axes(draw, top=468, bottom=600), reliability)
    _draw_side_text(picture, "share that changed", (82 + 440) // 2)
    _draw_side_text(picture, of, (468 + 600) // 2)
    middle = (_LEFT + _RIGHT) // 2 * OVERSAMPLING, (height - 20) * OVERSAMPLING
    draw.text(middle, "probability of change", INK, font(14 * OVERSAMPLING), anchor="mm")
    return picture.resize(_SIZE, Image.Resampling.LANCZOS)


def _draw_shares(axes: _Axes, reliability: Reliability) -> None:
    _draw_key(axes)
    for tick in _TICKS:
        axes.line((0, tick), (1, tick), RULE)
        axes.write(0, tick, f"{tick:.1f}", "rm", (-8, 0))
    bins = len(reliability.pixels)
    for number, share in enumerate(reliability.observed):
        axes.bar(number / bins, (number + 1) / bins, float(np.nan_to_num(share)), SKY)
    axes.line((0, 0), (1, 1), INK)
    radius = 4 * OVERSAMPLING
    for stated, observed in zip(reliability.stated, reliability.observed, strict=True):
        if not math.isnan(stated):
            x, y = axes.x(stated), axes.y(observed)
            axes.draw.ellipse((x - radius, y - radius, x + radius, y + radius), VERMILION)
    axes.frame()


def _draw_key(axes: _Axes) -> None:
    """Draw the key of bars, dots and line."""
    left, middle, size = axes.x(0), OVERSAMPLING * (axes.top - 24), 12 * OVERSAMPLING
    for word in ("observed", "at its mean probability", "as it should be"):
        top, bottom = middle - size // 2, middle + size // 2
        if word == "observed":
            axes.draw.rectangle((left, top, left + size, bottom), SKY)
        elif word == "as it should be":
            axes.draw.line(((left, bottom), (left + size, top)), INK, OVERSAMPLING)
        else:
            inset = 2 * OVERSAMPLING
            box = left + inset, top + inset, left + size - inset, bottom - inset
            axes.draw.ellipse(box, VERMILION)
        left += size + 6 * OVERSAMPLING
        axes.draw.text((left, middle), word, INK, font(13 * OVERSAMPLING), anchor="lm")
        left += font(13 * OVERSAMPLING).getlength(word) + 22 * OVERSAMPLING


def _draw_pixels(axes: _Axes, reliability: Reliability) -> None:
    """Draw bars from one pixel to the next power of ten above the fullest bin."""
    most = max(1, math.ceil(math.log10(max(1, int(reliability.pixels.max())))))
    for power in range(0, most + 1, max(1, most // 4)):
        axes.line((0, power / most), (1, power / most), RULE)
        axes.write(0, power / most, _count(10**power), "rm", (-8, 0))
    bins = len(reliability.pixels)
    for number, pixels in enumerate(reliability.pixels.tolist()):
        height = max(0.01, math.log10(pixels) / most) if pixels else 0.0
        axes.bar(number / bins, (number + 1) / bins, height, BLUE)
    for tick in _TICKS:
        axes.write(tick, 0, f"{tick:.1f}", "mt", (0, 8))
    axes.frame()


def _count(number: int) -> str:
    """A number as a tick label: 10,000 as 10k."""
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number // size}{sign}"
    return str(number)


def _draw_side_text(picture: Image.Image, text: str, middle: int) -> None:
    """Write a text upwards, left of an axis."""
    letters = font(14 * OVERSAMPLING)
    width, height = round(letters.getlength(text)) + 4, 24 * OVERSAMPLING
    strip = Image.new("RGB", (width, height), PAPER)
    ImageDraw.Draw(strip).text((width // 2, height // 2), text, INK, letters, anchor="mm")
    turned = strip.rotate(90, expand=True)
    picture.paste(turned, (10 * OVERSAMPLING, middle * OVERSAMPLING - turned.height // 2))
