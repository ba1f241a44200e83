"""Names of places: how often they are right, and how often ground that is none of their classes is named.

python benchmarks/names.py FOLDER [MODEL] [--sheet FILE.png]: FOLDER holds the pictures of
docs/default-network.md; only those that are kept out of training are used. It prints the share of
scenes that are named, the share of these names that are right, and for other ground the share of
squares that are named, set by set. The sheet shows named squares of other ground with their names.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.weights.locate import locate_weights
from geochange.running.polygon_class_names import best_classes
from geochange.training.data.scenes import names_of, read_scenes
from geochange.training.planting import read_library

SIDE_PX = 256
SQUARES = 60
SHOWN = 12
"""Squares of a set on the sheet: those with the highest scores."""

Picture = NDArray[np.uint8]
Named = tuple[str | None, float]


@torch.inference_mode()
def names(model: ChangeClipDetector, pictures: torch.Tensor) -> list[Named]:
    """The name of each picture (n, 3, H, W) and the score of its meaning; None if none is assigned."""
    scorer = model.place_scorer or model.scorer
    assert scorer is not None
    scores = torch.cat([scorer(part.float()) for part in pictures.split(8)])
    best, top = best_classes(scores.numpy(), model.classes, model.naming)
    return [
        (model.classes[number] if score >= model.naming.least_score else None, score)
        for number, score in zip(best.tolist(), top.tolist(), strict=True)
    ]


def squares(folder: Path) -> dict[str, list[Picture]]:
    """Squares of kept-out pictures that are no scenes, by set."""
    draw, found = np.random.default_rng(0), dict[str, list[Picture]]()
    places = read_library(folder, kept_out=True).places
    for kind in sorted({_set_of(p.names[0]) for p in places}):
        own = [p.visits[0] for p in places if _set_of(p.names[0]) == kind]
        own = [p for p in own if min(p.shape[:2]) >= 128]
        for number in range(SQUARES if own else 0):
            picture = own[number % len(own)]
            side = min(SIDE_PX, *picture.shape[:2])
            row, col = (int(draw.integers(length - side + 1)) for length in picture.shape[:2])
            part = picture[row : row + side, col : col + side]
            whole = Image.fromarray(part).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
            found.setdefault(kind, []).append(np.asarray(whole))
    return found


def _set_of(name: str) -> str:
    return "/".join(Path(name).parts[:2])


def tensor(pictures: Sequence[Picture]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def sheet(shown: Sequence[tuple[str, Picture]], target: Path) -> None:
    """Pictures with a line of text each, SHOWN in a row."""
    small, line = 160, 14
    rows = -(-len(shown) // SHOWN)
    page = Image.new("RGB", (SHOWN * small, rows * (small + line)), "white")
    pen = ImageDraw.Draw(page)
    for number, (text, picture) in enumerate(shown):
        row, col = divmod(number, SHOWN)
        page.paste(
            Image.fromarray(picture).resize((small, small)), (col * small, row * (small + line))
        )
        pen.text((col * small + 2, row * (small + line) + small), text[:26], fill="black")
    page.save(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="?", default="changeclip-small")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    model = DetectorSpec(str(locate_weights(options.model)), precision="float32").build()
    scenes = read_scenes(options.folder / "scenes" / "ucm", SIDE_PX, kept_out=True)
    found = [name for name, _ in names(model, scenes.pictures)]
    classes = [scenes.classes[label] for label in scenes.labels.tolist()]
    said = [(name, one) for name, one in zip(found, classes, strict=True) if name is not None]
    right = sum(name in names_of(one) for name, one in said)
    print(f"scenes: {len(said) / len(found):.1%} named, {right / max(1, len(said)):.1%} rightly")
    shown = []
    for kind, pictures in squares(options.folder).items():
        told = names(model, tensor(pictures))
        counts = Counter(name for name, _ in told if name is not None)
        print(f"{kind}: {counts.total() / len(told):.0%} named: {dict(counts.most_common(4))}")
        order = sorted(range(len(told)), key=lambda n: (told[n][0] is None, -told[n][1]))
        shown += [(f"{told[n][0]} {told[n][1]:.2f}", pictures[n]) for n in order[:SHOWN]]
    if options.sheet:
        sheet(shown, options.sheet)


if __name__ == "__main__":
    main()
