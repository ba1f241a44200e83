"""Pictures: photos with changes drawn on them, and how they get into a page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from geochange.drawing import PAPER, Colour

Photo = NDArray[np.uint8]
"""(height, width, 3)."""

Rings = Sequence[NDArray[np.float64]]
"""The rings of one polygon, the outer first: (point, 2) of (x, y) in pixels of the picture."""

FINER = 2
"""Lines are drawn so much larger and then made smaller, which smooths their stairs."""

FILL_ALPHA = 100

CASING = 2
"""By so much, in finer pixels, a line's casing is wider than the line."""
LIGHT, DARK = (255, 255, 255, 210), (40, 20, 10, 210)

LONGEST_BAR = 0.3
"""Of a picture's width, what the bar of its scale takes at most."""

CASED = 8
"""Polygons of fewer line widths are drawn without a casing, which would hide them."""


@dataclass
class Overlay:
    """Polygons to be laid over a picture of (rows, cols) of `shape`; they come some at a time.

    line_px: how wide their outlines are. filled: whether the ground in them is tinted.
    """

    shape: tuple[int, int]
    colours: Sequence[Colour]
    line_px: float = 1.5
    filled: bool = True
    image: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        rows, cols = self.shape
        self.image = Image.new("RGBA", (cols * FINER, rows * FINER), (0, 0, 0, 0))

    def add(self, polygons: Sequence[Rings], colours: Sequence[int]) -> None:
        """Draw polygons, each in one of the colours by number."""
        draw = ImageDraw.Draw(self.image)
        for rings, colour in zip(polygons, colours, strict=True):
            self._polygon(draw, [ring * FINER for ring in rings], self.colours[colour])

    def add_specks(self, points: NDArray[np.float64], colours: NDArray[np.int64]) -> None:
        """Draw what is smaller than a pixel of the picture, all at once: (point, 2) of (x, y)."""
        draw = ImageDraw.Draw(self.image)
        for number in np.unique(colours):
            corners = np.floor(points[colours == number] * FINER).astype(int)
            square = corners[:, None] + np.indices((FINER, FINER)).reshape(2, -1).T
            draw.point(square.ravel().tolist(), fill=(*self.colours[number], 255))

    def _polygon(self, draw: ImageDraw.ImageDraw, rings: Rings, colour: Colour) -> None:
        low, high = rings[0].min(axis=0), rings[0].max(axis=0)
        if self.filled:
            self._fill(rings, low, high, colour)
        lines = [list(map(tuple, ring.tolist())) for ring in rings]
        width = round(self.line_px * FINER)
        if (high - low).max() > CASED * width:
            casing = DARK if _luma(colour) > 128 else LIGHT
            for line in lines:
                draw.line(line, fill=casing, width=width + CASING, joint="curve")
        for line in lines:
            draw.line(line, fill=(*colour, 255), width=width, joint="curve")

    def _fill(
        self, rings: Rings, low: NDArray[np.float64], high: NDArray[np.float64], colour: Colour
    ) -> None:
        """Inside the polygon and outside of its holes."""
        limit = np.array(self.image.size)
        corner = np.clip(np.floor(low), 0, limit).astype(int)
        size = np.clip(np.ceil(high) + 1, 0, limit).astype(int) - corner
        if (size <= 0).any():
            return
        mask = Image.new("L", (int(size[0]), int(size[1])), 0)
        draw = ImageDraw.Draw(mask)
        for number, ring in enumerate(rings):
            points = (ring - corner).ravel().tolist()
            draw.polygon(points, fill=0 if number else FILL_ALPHA)
        tint = Image.new("RGBA", mask.size, colour)
        tint.putalpha(mask)
        self.image.alpha_composite(tint, (int(corner[0]), int(corner[1])))

    def over(self, photo: Image.Image) -> Image.Image:
        """A photo of this shape, or a smaller one made larger, with the polygons on top."""
        rows, cols = self.shape
        base = photo.convert("RGBA").resize((cols, rows), Image.Resampling.BICUBIC)
        lines = self.image.resize((cols, rows), Image.Resampling.BOX)
        return Image.alpha_composite(base, lines).convert("RGB")


def _luma(colour: Colour) -> float:
    """How light a colour looks, 0 to 255 (Rec. 709)."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def sized(photo: Photo, shape: tuple[int, int]) -> Image.Image:
    """A photo at (rows, cols) of `shape`."""
    picture = Image.fromarray(photo)
    size = (shape[1], shape[0])
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def muted(picture: Image.Image) -> Image.Image:
    """The same, pale and nearly grey, as a ground for what is drawn on it."""
    bright = ImageOps.autocontrast(picture, cutoff=1)
    grey = Image.blend(bright, bright.convert("L").convert("RGB"), 0.7)
    return Image.blend(grey, Image.new("RGB", grey.size, PAPER), 0.3)


@dataclass(frozen=True)
class Scale:
    """A bar of a round length: what it says, and how much of a picture's width it takes."""

    label: str
    share: float


def scale_of(width_m: float) -> Scale | None:
    """The bar for a picture of ground so wide; None where that is not known."""
    if not (math.isfinite(width_m) and width_m > 0):
        return None
    metres = round_length(width_m * LONGEST_BAR)
    return Scale(f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m", metres / width_m)


def round_length(most: float) -> float:
    """The longest of 1, 2 and 5 times a power of ten that is not above `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step for step in (power, 2 * power, 5 * power) if step <= most * (1 + 1e-9))


@dataclass(frozen=True)
class Picture:
    """A picture as a page holds it: its bytes in its own address."""

    uri: str
    width: int
    height: int


def embedded(picture: Image.Image, quality: int = 82) -> Picture:
    """A JPEG as a data URI; of drawn lines, colours are kept at full resolution."""
    packed = io.BytesIO()
    drawn = quality > 85
    # Not optimised: Pillow guesses how large the result may be, and fails where ground is like noise.
    picture.save(packed, "JPEG", quality=quality, subsampling=0 if drawn else 2)
    text = base64.b64encode(packed.getvalue()).decode("ascii")
    return Picture(f"data:image/jpeg;base64,{text}", picture.width, picture.height)
