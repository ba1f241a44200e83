"""Panels: pictures of one ground side by side, with captions, a legend and a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from geochange.picture_drawing import FAINT, INK, PAPER, Colour, fit_text, font
from geochange.report.canvas import ScaleBar


@dataclass(frozen=True)
class Panel:
    """A picture, its name and a note."""

    picture: Image.Image
    name: str
    note: str = ""


def side_by_side(
    title: str,
    subtitle: str,
    panels: Sequence[Panel],
    legend: Sequence[tuple[str, Colour]],
    scale: ScaleBar | None,
) -> Image.Image:
    """The panels in a row, all of one size, on white."""
    width, height = panels[0].picture.size
    text = max(13, round(max(width, height) / 42))
    margin, gap = 2 * text, round(text * 0.9)
    above, below = round(7 * text), round(4.2 * text)
    total = 2 * margin + len(panels) * width + (len(panels) - 1) * gap
    sheet = Image.new("RGB", (total, above + height + below), PAPER)
    draw = ImageDraw.Draw(sheet)
    large = font(round(text * 1.7))
    draw.text((margin, text), fit_text(title, total - 2 * margin, large), INK, large)
    small = font(text)
    place = (margin, round(text * 3.2))
    _write(draw, place, fit_text(subtitle, total - 2 * margin, small), text)
    for number, panel in enumerate(panels):
        left = margin + number * (width + gap)
        _label(draw, panel, (left, above - round(text * 1.6)), width, text)
        sheet.paste(panel.picture, (left, above))
    foot = above + height + text
    used = _legend(draw, legend, (margin, foot), text)
    _scale(draw, scale, (total - margin, foot), width, text, used)
    return sheet


def _write(draw: ImageDraw.ImageDraw, place: tuple[float, float], words: str, text: int) -> None:
    """Write text that may hold a raised 2, which Pillow's font lacks."""
    left, top = place
    for number, part in enumerate(words.split("²")):
        if number:
            raised = font(round(text * 0.65))
            draw.text((left, top - text * 0.1), "2", FAINT, raised)
            left += raised.getlength("2")
        draw.text((left, top), part, FAINT, font(text))
        left += font(text).getlength(part)


def _label(
    draw: ImageDraw.ImageDraw, panel: Panel, place: tuple[int, int], width: int, text: int
) -> None:
    left, top = place
    letters = font(text)
    # Written twice, half a pixel apart: the font has a single weight.
    for shift in (0, 0.6):
        draw.text((left + shift, top), panel.name, INK, letters)
    taken = letters.getlength(panel.name) + text * 0.7
    draw.text(
        (left + taken, top), fit_text(panel.note, round(width - taken), letters), FAINT, letters
    )


def _legend(
    draw: ImageDraw.ImageDraw,
    legend: Sequence[tuple[str, Colour]],
    place: tuple[int, int],
    text: int,
) -> float:
    """Draw the legend from `place` on; returns where it ends."""
    left, top = place
    letters, at = font(text), float(left)
    for words, colour in legend:
        draw.rounded_rectangle((at, top, at + text, top + text), text // 6, colour, INK)
        draw.text((at + text * 1.5, top - text * 0.12), words, INK, letters)
        at += text * 3 + letters.getlength(words)
    return at


def _scale(
    draw: ImageDraw.ImageDraw,
    scale: ScaleBar | None,
    corner: tuple[int, int],
    width: int,
    text: int,
    used: float,
) -> None:
    """Draw a scale bar that ends at `corner`, if the legend leaves room for it."""
    if scale is None:
        return
    letters, length = font(text), scale.share * width
    right, top = corner
    left = right - length
    words = left - letters.getlength(scale.label) - text * 0.8
    if words < used:
        return
    bottom = top + text
    line = [
        (left, bottom - text // 2),
        (left, bottom),
        (right, bottom),
        (right, bottom - text // 2),
    ]
    draw.line(line, fill=INK, width=max(2, text // 8))
    draw.text((words, top - text * 0.12), scale.label, INK, letters)
