"""Drawing: common code for images that people look at, from fonts to files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image, ImageFont
from PIL.PngImagePlugin import PngInfo

from geochange.files.atomic import atomic_path
from geochange.formatting import printable

Drawn = Image.Image
"""A picture to draw on."""

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (34, 34, 34)
FAINT: Colour = (120, 120, 120)
RULE: Colour = (222, 222, 222)

# The colours of Okabe and Ito, which people with any colour vision can distinguish.
SKY: Colour = (86, 180, 233)
YELLOW: Colour = (240, 228, 66)
VERMILION: Colour = (213, 94, 0)
BLUE: Colour = (0, 114, 178)


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's default font at a size."""
    return ImageFont.load_default(size_px)


def fit_text(
    text: str, width_px: int, letters: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> str:
    """A text of at most `width_px`; the middle of a longer text is replaced."""
    plain = printable(text, " ")
    if letters.getlength(plain) <= width_px:
        return plain
    for kept in range(len(plain) // 2, 0, -1):
        shorter = f"{plain[:kept]}...{plain[-kept:]}"
        if letters.getlength(shorter) <= width_px:
            return shorter
    return ""


def save_png(image: Image.Image, path: Path) -> None:
    """Write an image atomically. Raises OutputError."""
    said = PngInfo()
    said.add_text("Software", "geochange")
    with atomic_path(path) as aside:
        image.save(aside, format="PNG", pnginfo=said)
