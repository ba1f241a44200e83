"""Contact sheets: both dates, the label, the prediction and its errors, one row a chip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from geochange.chip import UNKNOWN, Chip
from geochange.picture_drawing import (
    FAINT,
    INK,
    PAPER,
    SKY,
    VERMILION,
    YELLOW,
    Colour,
    fit_text,
    font,
    save_png,
)

COLUMN_TITLES = ("before", "after", "label", "probability", "errors")
HIT, MISSED, FALSE_ALARM = SKY, YELLOW, VERMILION
NO_DATA_COLOUR: Colour = (150, 150, 150)
"""The colour of pixels without data or with an unknown label."""

_INFERNO = np.array(
    [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float
)
"""The colour scale of probability: five colours of matplotlib's inferno."""

LARGEST_PX, SMALLEST_PX = 256, 128
"""Larger chips are drawn smaller, and smaller ones larger."""

_MARGIN, _GAP, _LINE = 20, 8, 26
_SMALL, _LARGE = 14, 15

Panel = NDArray[np.uint8]
"""(height, width, 3) uint8."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A labelled chip and its prediction.

    probability: (height, width) of change, NaN without data. name: the name of the chip. note: a
    caption beside it.
    """

    chip: Chip
    probability: NDArray[np.float32]
    name: str
    note: str = ""


def write_sheet(path: Path, rows: Sequence[SheetRow], threshold: float = 0.5) -> None:
    """Write rows of before, after, label, probability and errors as a PNG, whole or not at all.

    Chips are 8-bit RGB. threshold: the probability from which a pixel counts as change.
    Raises OutputError.
    """
    save_png(draw_sheet(rows, threshold), path)


def draw_sheet(rows: Sequence[SheetRow], threshold: float = 0.5) -> Image.Image:
    """The sheet as a picture."""
    pictures = [[_resized(panel) for panel in panels_of(row, threshold)] for row in rows]
    width = max((strip[0].width for strip in pictures), default=LARGEST_PX)
    head = _MARGIN + 2 * _LINE + _GAP
    heights = [strip[0].height + _LINE + _GAP for strip in pictures]
    size = (2 * _MARGIN + len(COLUMN_TITLES) * (width + _GAP) - _GAP, head + sum(heights) + _MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_legend(sheet, draw, threshold)
    for column, text in enumerate(COLUMN_TITLES):
        place = _MARGIN + column * (width + _GAP), _MARGIN + _LINE + _GAP
        draw.text(place, text, INK, font(_LARGE))
    top = head
    for row, strip, height in zip(rows, pictures, heights, strict=True):
        _draw_caption(draw, row, top, size[0])
        for column, picture in enumerate(strip):
            sheet.paste(picture, (_MARGIN + column * (width + _GAP), top + _LINE))
        top += height
    return sheet


def panels_of(row: SheetRow, threshold: float) -> Iterator[Panel]:
    """The five panels of a chip."""
    chip = row.chip
    label = np.zeros(chip.shape, np.uint8) if chip.label is None else chip.label
    seen = ~np.isnan(row.probability)
    yield chip.before
    yield chip.after
    yield label_panel(label)
    yield _mask_unknown(seen, probability_panel(np.nan_to_num(row.probability)))
    yield _errors(chip, label, row.probability, threshold)


def label_panel(label: NDArray[np.uint8]) -> Panel:
    """The label as a picture: change is white, no change black, unknown grey."""
    return _mask_unknown(
        label != UNKNOWN, np.repeat((label == 1)[..., None] * np.uint8(255), 3, axis=2)
    )


def probability_panel(probability: NDArray[np.float32]) -> Panel:
    """The probability as colours."""
    stops = np.linspace(0, 1, len(_INFERNO))
    channels = [np.interp(probability, stops, channel) for channel in _INFERNO.T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _errors(
    chip: Chip, label: NDArray[np.uint8], probability: NDArray[np.float32], threshold: float
) -> Panel:
    """Hits, misses and false alarms over the later picture, which is faint and grey."""
    grey = chip.after.mean(axis=2, keepdims=True) * 0.5
    panel = np.repeat(grey.astype(np.uint8), 3, axis=2)
    known = (label != UNKNOWN) & ~np.isnan(probability)
    found, true = known & (probability >= threshold), known & (label == 1)
    for where, colour in (
        (found & true, HIT),
        (true & ~found, MISSED),
        (found & ~true, FALSE_ALARM),
    ):
        panel[where] = colour
    return _mask_unknown(known, panel)


def _mask_unknown(known: NDArray[np.bool_], panel: Panel) -> Panel:
    return np.where(known[..., None], panel, np.uint8(NO_DATA_COLOUR[0]))


def _resized(panel: Panel) -> Image.Image:
    """Resize a panel into the allowed sizes; enlarged pixels stay squares."""
    picture = Image.fromarray(np.ascontiguousarray(panel))
    longest = max(picture.size)
    if longest > LARGEST_PX:
        picture.thumbnail((LARGEST_PX, LARGEST_PX), Image.Resampling.BOX)
        return picture
    factor = max(1, LARGEST_PX // longest) if longest < SMALLEST_PX else 1
    return picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
    )


def _draw_caption(draw: ImageDraw.ImageDraw, row: SheetRow, top: int, width: int) -> None:
    middle = top + _LINE // 2 + 1
    note = fit_text(row.note, width // 2, font(_SMALL))
    left = width - 2 * _MARGIN - font(_SMALL).getlength(note) - _GAP
    name = fit_text(row.name, int(left), font(_SMALL))
    draw.text((_MARGIN, middle), name, INK, font(_SMALL), anchor="lm")
    draw.text((width - _MARGIN, middle), note, FAINT, font(_SMALL), anchor="rm")


def _draw_legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, threshold: float) -> None:
    """Draw the meaning of the colours on one line."""
    words = {
        "hit": HIT,
        "missed": MISSED,
        "false alarm": FALSE_ALARM,
        "unknown or no data": NO_DATA_COLOUR,
    }
    left, middle, box = _MARGIN, _MARGIN + _LINE // 2 - 4, 14
    for word, colour in words.items():
        draw.rectangle(
            (left, middle - box // 2, left + box, middle + box // 2), colour, outline=FAINT
        )
        draw.text((left + box + 6, middle), word, INK, font(_SMALL), anchor="lm")
        left += box + 6 + round(font(_SMALL).getlength(word)) + 22
    for text in ("probability 0", "1"):
        draw.text((left, middle), text, INK, font(_SMALL), anchor="lm")
        left += round(font(_SMALL).getlength(text)) + 6
        if text != "1":
            bar = np.broadcast_to(np.linspace(0, 1, 90, dtype=np.float32), (box, 90))
            sheet.paste(Image.fromarray(probability_panel(bar)), (left, middle - box // 2))
            left += 96
    text = f"change from {threshold:.3g}"
    draw.text((left + 16, middle), text, FAINT, font(_SMALL), anchor="lm")
