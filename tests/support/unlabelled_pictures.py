"""Unlabelled images, as configs/default.yaml needs them, and a short recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

FEW = {
    "network.variant": "tiny",
    **{"scenes.steps": 4, "scenes.every": 2, "scenes.batch": 4, "scenes.size": 64},
    **{"planting.size": 64, "planting.val_chips": 6, "augment.size": 64},
    **{"optim.steps": 4, "optim.warmup_steps": 1, "optim.batch": 4, "validation.every": 2},
    **{"data.workers": 0, "device.precision": "float32", "device.accelerator": "cpu"},
}


def make_pictures(root: Path) -> Path:
    """Two places at two dates, one of them kept out, and two classes of scenes."""
    draw = np.random.default_rng(1)

    def save(file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        smooth = ndimage.gaussian_filter(draw.uniform(0, 255, (128, 128, 3)), (6, 6, 0))
        bright = (smooth - smooth.min()) / np.ptp(smooth) * 220
        Image.fromarray(bright.astype(np.uint8)).save(file)

    for city in ("claremont", "bishop"):
        for year in (2016, 2018):
            save(root / "revisits" / "naip" / f"{city}_{year}_0.jpg")
    for name in ("beach", "forest"):
        for number in range(6):
            save(root / "scenes" / "ucm" / name / f"{name}{number:02}.jpg")
    return root
