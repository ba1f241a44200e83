"""Folders of labelled chips for tests: a bright roof is built on smooth ground."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def built(size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """(size, size, 3) before and after, and a (size, size) label of 0 and 255."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((size, size)) / 16
    ground = 90 + 30 * np.sin(rows + seed) * np.cos(cols - seed)
    before, after = (ground[..., None] + rng.normal(0, 5, (size, size, 3)) for _ in range(2))
    label = np.zeros((size, size), np.uint8)
    top, left = rng.integers(4, size // 2, 2)
    roof = np.s_[top : top + size // 3, left : left + size // 3]
    after[roof] = np.array([230, 120, 90]) + rng.normal(0, 5, after[roof].shape)
    label[roof] = 255
    return *(date.clip(0, 255).astype(np.uint8) for date in (before, after)), label  # type: ignore[return-value]


def make_chips(root: Path, splits: Mapping[str, int], size: int = 64) -> Path:
    """Write this number of chips for each split, as time1/ time2/ label/."""
    for number, (split, count) in enumerate(splits.items()):
        for chip in range(count):
            pictures = built(size, 1000 * number + chip)
            for folder, picture in zip(("time1", "time2", "label"), pictures, strict=True):
                place = root / split / folder
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(place / f"{chip:03d}.png")
    return root
