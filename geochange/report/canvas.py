"""Canvas: pictures with changes drawn on them, and their embedding in a page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from geochange.picture_drawing import PAPER, Colour

Photo = NDArray[np.uint8]
"""(height, width, 3)."""

Rings = Sequence[NDArray[np.float64]]
"""The rings of one polygon, the outer first: (point, 2) of (x, y) in pixels of the picture."""

OVERSAMPLING = 2
"""Oversampling: lines are drawn so much larger and then shrunk, which smooths them."""

FILL_ALPHA = 100

CASING = 2
"""How much wider the casing is than its line, in oversampled pixels."""
LIGHT, DARK = (255, 255, 255, 210), (40, 20, 10, 210)

MAX_BAR_SHARE = 0.3
"""The largest share of a picture's width that the scale bar takes."""

LINES_COLOURS = 64
"""The most colours of a transparent drawing: those of lines and fills, and of their soft edges."""

LEAST_CASED_LINES = 8
"""Polygons smaller than so many line widths have no casing, which would hide them."""


@dataclass
class Overlay:
    """Polygons over a picture of `shape` (rows, cols); they are added batch by batch.

    line_px: width of the outlines. filled: whether polygons are tinted.
    """

    shape: tuple[int, int]
    colours: Sequence[Colour]
    line_px: float = 1.5
    filled: bool = True
    image: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        rows, cols = self.shape
        self.image = Image.new("RGBA", (cols * OVERSAMPLING, rows * OVERSAMPLING), (0, 0, 0, 0))

    def add(self, polygons: Sequence[Rings], colours: Sequence[int]) -> None:
        """Draw polygons, each in the colour of its number, and their outlines above all tints."""
        draw = ImageDraw.Draw(self.image)
        drawn = [
            ([ring * OVERSAMPLING for ring in rings], self.colours[number])
            for rings, number in zip(polygons, colours, strict=True)
        ]
        if self.filled:
            for rings, colour in drawn:
                self._fill(draw, rings, colour)
        for rings, colour in drawn:
            self._outline(draw, rings, colour)

    def add_specks(self, points: NDArray[np.float64], colours: NDArray[np.int64]) -> None:
        """Draw polygons smaller than a pixel of the picture, all at once: (point, 2) of (x, y)."""
        draw = ImageDraw.Draw(self.image)
        for number in np.unique(colours):
            corners = np.floor(points[colours == number] * OVERSAMPLING).astype(int)
            square = corners[:, None] + np.indices((OVERSAMPLING, OVERSAMPLING)).reshape(2, -1).T
            draw.point(square.ravel().tolist(), fill=(*self.colours[number], 255))

    def _outline(self, draw: ImageDraw.ImageDraw, rings: Rings, colour: Colour) -> None:
        """Draw the rings of a polygon as lines. Those of large polygons have a casing."""
        lines = [ring.ravel().tolist() for ring in rings]
        width = round(self.line_px * OVERSAMPLING)
        if np.ptp(rings[0], axis=0).max() > LEAST_CASED_LINES * width:
            casing = DARK if _luma(colour) > 128 else LIGHT
            for line in lines:
                draw.line(line, fill=casing, width=width + CASING, joint="curve")
        for line in lines:
            draw.line(line, fill=(*colour, 255), width=width, joint="curve")

    def _fill(self, draw: ImageDraw.ImageDraw, rings: Rings, colour: Colour) -> None:
        """Fill a polygon without its holes."""
        if len(rings) == 1:
            draw.polygon(rings[0].ravel().tolist(), fill=(*colour, FILL_ALPHA))
            return
        # What is drawn in a hole stays there.
        limit = np.array(self.image.size)
        corner = np.clip(np.floor(rings[0].min(axis=0)), 0, limit).astype(int)
        size = np.clip(np.ceil(rings[0].max(axis=0)) + 1, 0, limit).astype(int) - corner
        if (size <= 0).any():
            return
        mask = Image.new("L", (int(size[0]), int(size[1])), 0)
        inside = ImageDraw.Draw(mask)
        for number, ring in enumerate(rings):
            inside.polygon((ring - corner).ravel().tolist(), fill=0 if number else 255)
        self.image.paste((*colour, FILL_ALPHA), (int(corner[0]), int(corner[1])), mask)

    def drawn(self) -> Image.Image:
        """The polygons alone, at this shape, on a transparent ground."""
        rows, cols = self.shape
        lines = Image.new("RGBA", (cols, rows), (0, 0, 0, 0))
        box = self.image.getbbox()
        if box is not None:  # most of the ground has no change, and takes its time to shrink
            left, top = (edge - edge % OVERSAMPLING for edge in box[:2])
            right, bottom = (edge + -edge % OVERSAMPLING for edge in box[2:])
            part = self.image.crop((left, top, right, bottom)).reduce(OVERSAMPLING)
            lines.paste(part, (left // OVERSAMPLING, top // OVERSAMPLING))
        return lines

    def over(self, photo: Image.Image) -> Image.Image:
        """The photo at this shape, enlarged if smaller, with the polygons on top."""
        return lines_over(photo, self.drawn())


def lines_over(photo: Image.Image, lines: Image.Image) -> Image.Image:
    """A photo, enlarged to the size of a transparent drawing if smaller, under the drawing."""
    base = photo.convert("RGB").resize(lines.size, Image.Resampling.BICUBIC)
    base.paste(lines, mask=lines)
    return base


def _luma(colour: Colour) -> float:
    """The lightness of a colour, 0 to 255 (Rec. 709)."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def resize_photo(photo: Photo, shape: tuple[int, int]) -> Image.Image:
    """A photo resized to `shape` (rows, cols)."""
    picture = Image.fromarray(photo)
    size = (shape[1], shape[0])
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)


def desaturate(picture: Image.Image) -> Image.Image:
    """The picture pale and nearly grey, as a background for drawings."""
    bright = ImageOps.autocontrast(picture, cutoff=1)
    grey = Image.blend(bright, bright.convert("L").convert("RGB"), 0.7)
    return Image.blend(grey, Image.new("RGB", grey.size, PAPER), 0.3)


@dataclass(frozen=True)
class ScaleBar:
    """A scale bar: its label, and the share of a picture's width that it takes."""

    label: str
    share: float


def scale_bar_of(width_m: float) -> ScaleBar | None:
    """The scale bar of a picture of so much ground; None where its width is unknown."""
    if not (math.isfinite(width_m) and width_m > 0):
        return None
    metres = round_length(width_m * MAX_BAR_SHARE)
    return ScaleBar(
        f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m", metres / width_m
    )


def round_length(most: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that does not exceed `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step for step in (power, 2 * power, 5 * power) if step <= most * (1 + 1e-9))


@dataclass(frozen=True)
class Picture:
    """A picture in a page, as a data URI."""

    uri: str
    width: int
    height: int


def as_data_uri(picture: Image.Image, quality: int = 82) -> Picture:
    """A JPEG as a data URI; drawn lines keep their colours at full resolution."""
    packed = io.BytesIO()
    drawn = quality > 85
    # Not optimised: Pillow underestimates its buffer for noisy pictures and fails.
    picture.save(packed, "JPEG", quality=quality, subsampling=0 if drawn else 2)
    return _embedded(packed, "jpeg", picture.size)


def lines_as_data_uri(picture: Image.Image) -> Picture:
    """A transparent drawing as a PNG in a data URI."""
    packed = io.BytesIO()
    # Few colours bound its size: 6 bits a pixel, whatever is drawn.
    few = picture.quantize(LINES_COLOURS, Image.Quantize.FASTOCTREE)
    few.save(packed, "PNG", optimize=False)
    return _embedded(packed, "png", picture.size)


def _embedded(packed: io.BytesIO, kind: str, size: tuple[int, int]) -> Picture:
    text = base64.b64encode(packed.getvalue()).decode("ascii")
    return Picture(f"data:image/{kind};base64,{text}", *size)
