"""Made scenes with classes of both dates: houses that replace trees, and ponds that replace meadows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITE, WATER, LOW, TREE, BUILDING = (
    (255, 255, 255),
    (0, 0, 255),
    (0, 128, 0),
    (0, 255, 0),
    (128, 0, 0),
)
"""SECOND's colours."""

LOOKS = {WATER: (20, 40, 90), LOW: (130, 170, 90), TREE: (30, 80, 30), BUILDING: (200, 120, 100)}
"""How each class looks in a picture."""

Dates = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def scene(size: int, seed: int) -> tuple[Dates, Dates]:
    """(size, size, 3) pictures and labels before and after; labels are white where nothing changed."""
    rng = np.random.default_rng(seed)
    ground = np.full((size, size, 3), LOOKS[LOW], np.uint8)
    pictures = [ground.copy(), ground.copy()]
    labels = [np.full((size, size, 3), 255, np.uint8) for _ in range(2)]
    half = size // 2
    kinds = [(TREE, BUILDING), (LOW, WATER), (TREE, TREE), (BUILDING, BUILDING)]
    for number, place in enumerate(rng.permutation(4)):
        row, col = (int(place) // 2 * half, int(place) % 2 * half)
        top, left = (int(x) for x in rng.integers(2, half // 4, 2))
        part = np.s_[row + top : row + top + half // 2, col + left : col + left + half // 2]
        for date in range(2):
            pictures[date][part] = LOOKS[kinds[number][date]]
            if kinds[number][0] != kinds[number][1]:
                labels[date][part] = kinds[number][date]
    rough = rng.normal(0, 6, (2, size, size, 3))
    shown = [np.clip(p + n, 0, 255).astype(np.uint8) for p, n in zip(pictures, rough, strict=True)]
    return (shown[0], shown[1]), (labels[0], labels[1])


def write_second(root: Path, train: int = 6, val: int = 3, size: int = 64) -> Path:
    """A data set in the layout of SECOND, with labels in colours."""
    for split, count, first in (("train", train, 0), ("val", val, 1000)):
        for number in range(count):
            pictures, labels = scene(size, first + number)
            named: Any = zip(("im1", "im2", "label1", "label2"), (*pictures, *labels), strict=True)
            for folder, pixels in named:
                place = root / split / folder
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return root
