"""Run lengths: masks of COCO as counts of pixels, column by column, in turns outside and inside.

Source: the mask format of the COCO API (Lin et al. 2014), where compressed counts are text: five bits
a character from "0" on, a sixth for continuation, and each count as the difference to the one two
before from the third on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.errors import InputError

MOST_CHARACTERS = 13
"""The largest number of characters of a count: 64 bits."""


def mask_of_runs(path: Path, segmentation: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(height, width) mask. Raises InputError where counts and sizes do not fit the picture."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    try:
        runs = _unpacked(counts) if isinstance(counts, str) else counts
        lengths = np.asarray(runs, np.int64)
    except (TypeError, ValueError, OverflowError):
        lengths = np.array([-1])
    fits = lengths.ndim == 1 and bool(
        (lengths >= 0).all() and (lengths <= shape[0] * shape[1]).all()
    )
    if size != list(shape) or not fits or int(lengths.sum()) != shape[0] * shape[1]:
        raise InputError(
            f"{path}: holds run lengths that do not fill a picture of {shape[0]} x {shape[1]} px; "
            "export it again"
        )
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(shape, order="F")


def _unpacked(text: str) -> Sequence[int]:
    """The counts of a compressed text. Raises ValueError."""
    counts: list[int] = []
    place = 0
    while place < len(text):
        value, place = _next_number(text, place)
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def _next_number(text: str, place: int) -> tuple[int, int]:
    """A signed number, and the place after it. Raises ValueError."""
    value = 0
    for read in range(MOST_CHARACTERS):
        if place + read >= len(text):
            break
        bits = ord(text[place + read]) - 48
        if not 0 <= bits < 64:
            break
        value |= (bits & 31) << (5 * read)
        if not bits & 32:
            sign = -1 << (5 * (read + 1)) if bits & 16 else 0
            return value | sign, place + read + 1
    raise ValueError("not a count of the COCO API")
