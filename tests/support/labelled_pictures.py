"""Images of one date with land cover labels, as labelled/SET holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 96


def save_label(file: Path, label: NDArray[np.uint8]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(label).save(file)


def make_labelled(root: Path, name: str, values: Sequence[int], count: int = 5) -> Path:
    """A set whose labels hold these values in stripes, each with another grey in the image."""
    draw = np.random.default_rng(len(name))
    stripes = np.array(values, np.uint8)[np.arange(SIDE) * len(values) // SIDE]
    label = np.ascontiguousarray(np.broadcast_to(stripes, (SIDE, SIDE)))
    for number in range(count):
        picture = label[..., None] * 40.0 % 200 + draw.uniform(0, 55, (SIDE, SIDE, 3))
        save_label(root / name / "images" / f"{number}.png", picture.astype(np.uint8))
        save_label(root / name / "labels" / f"{number}.png", label)
    return root
