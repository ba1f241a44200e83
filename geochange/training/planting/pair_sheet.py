"""Contact sheet of planted pairs, for a person to look for what looks fake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from geochange.chip import Chip
from geochange.picture_drawing import PAPER, save_png
from geochange.training.contact_sheet import label_panel

PAIRS_PER_ROW = 4
"""Pairs in a row; each shows before, after and label."""

GAP_PX = 4


def write_pair_sheet(path: Path, chips: Sequence[Chip]) -> None:
    """Write pairs of one size as a PNG, whole or not at all. Raises OutputError."""
    side = chips[0].shape[0] + GAP_PX
    rows = -(-len(chips) // PAIRS_PER_ROW)
    sheet = Image.new("RGB", (PAIRS_PER_ROW * 3 * side + GAP_PX, rows * side + GAP_PX), PAPER)
    for number, chip in enumerate(chips):
        row, col = divmod(number, PAIRS_PER_ROW)
        for place, panel in enumerate(_panels(chip)):
            left = GAP_PX + (3 * col + place) * side
            sheet.paste(Image.fromarray(panel), (left, GAP_PX + row * side))
    save_png(sheet, path)


def _panels(chip: Chip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    label = np.zeros(chip.shape, np.uint8) if chip.label is None else chip.label
    return chip.before, chip.after, label_panel(label)
