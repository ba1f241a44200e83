"""How well the polygons of `geochange run` match labels that were not used in training, by pixel.

python benchmarks/accuracy.py FOLDER [MODEL ...]: FOLDER holds the sets of SETS and the pictures of
revisits/naip; missing ones are named and skipped. For each set it prints F1, precision and recall
over all pixels, and the interval that holds 95 % of F1 if other squares of 256 px were drawn. It also
prints the share of labelled objects that a polygon touches (`objects`), and the share of polygons
that touch a labelled change (`touching`). LEVIR-CD labels only buildings, so a model with land
classes is also measured with `--only building`. Revisits hardly changed: of them it prints the share
of pixels that is called change. `--save FILE.json` writes the figures.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.features
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS
from scipy import ndimage

from geochange.errors import GeochangeError
from geochange.grid.grid import Grid
from geochange.models import kind_of
from geochange.models.weights.checkpoint import read_checkpoint
from geochange.models.weights.locate import locate_weights
from geochange.raster.pictures.image import write_picture
from geochange.training.metrics.bootstrap import interval
from geochange.training.metrics.counts import Counts
from geochange.training.planting import read_library
from geochange.workflows.detect import detect

SQUARE_PX = 256

SZTAKI_M, NAIP_M = 1.5, 0.6
"""The pixels of images that say nothing of it, in metres."""

Photo = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """A pair, its bands, and where it changed."""

    before: Path
    after: Path
    bands: str
    changed: NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """What a model found in one or several pairs.

    squares: the counts of each square. objects, polygons: their numbers, and how many of them touch one
    of the other kind.
    """

    squares: tuple[Counts, ...] = ()
    objects: tuple[int, int] = (0, 0)
    polygons: tuple[int, int] = (0, 0)

    def __add__(self, other: Found) -> Found:
        objects, polygons = (
            (one[0] + two[0], one[1] + two[1])
            for one, two in ((self.objects, other.objects), (self.polygons, other.polygons))
        )
        return Found(self.squares + other.squares, objects, polygons)


def pairs(folder: Path, names: tuple[str, ...], bands: str) -> Iterator[Case]:
    """Georeferenced pairs of FOLDER/pairs."""
    for name in names:
        place = folder / "pairs" / name
        with rasterio.open(place / "labels.tif") as raster:
            changed = raster.read(1) > 0
        yield Case(place / "before.tif", place / "after.tif", bands, changed)


def chips(folder: Path, name: str, pixel_m: float, scratch: Path) -> Iterator[Case]:
    """Chips of FOLDER/chips, each as its own raster."""
    for label in sorted((folder / "chips" / name).glob("*/label/*.png")):
        dates = [_photo(label.parents[1] / date / label.name) for date in ("time1", "time2")]
        yield _write_georeferenced(dates, _photo(label)[..., 0] > 0, pixel_m, scratch)


def revisits(folder: Path, scratch: Path) -> Iterator[Case]:
    """Pairs of consecutive aerial images of each place, in cities that are kept out of training."""
    for place in read_library(folder, kept_out=True).places:
        for dates in [] if place.far else pairwise(place.visits):
            yield _write_georeferenced(
                dates, np.zeros(dates[0].shape[:2], np.bool_), NAIP_M, scratch
            )


def _photo(file: Path) -> Photo:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _write_georeferenced(
    dates: Sequence[Photo], changed: NDArray[np.bool_], pixel_m: float, scratch: Path
) -> Case:
    """Images without a CRS, placed somewhere in UTM zone 32N with pixels of their true size."""
    transform = Affine(pixel_m, 0, 691_000, 0, -pixel_m, 5_335_000)
    paths = scratch / "before.tif", scratch / "after.tif"
    for path, date in zip(paths, dates, strict=True):
        write_picture(path, date, Grid(CRS.from_epsg(32632), transform, changed.shape))
    return Case(*paths, "1,2,3", changed)


SETS: dict[str, Callable[[Path, Path], Iterator[Case]]] = {
    "LEVIR-CD": lambda folder, _: pairs(folder, ("levir_test_1", "levir_test_2"), "1,2,3"),
    "OSCD": lambda folder, _: pairs(
        folder, ("oscd_rennes", "oscd_nantes", "oscd_bordeaux"), "4,3,2"
    ),
    "SZTAKI": lambda folder, scratch: chips(folder, "sztaki", SZTAKI_M, scratch),
    "revisits": revisits,
}


def run_case(case: Case, model: str, out: Path, only: str | None) -> Found:
    """Run a model on a pair and compare its polygons with the labels."""
    options: dict[str, Any] = {"report": "none", "skip_checks": True, "overwrite": True}
    options |= {"only": only} if only else {}
    result = detect(case.before, case.after, out, model=model, bands=case.bands, **options)
    numbers = np.zeros(case.changed.shape, np.int32)
    if result.polygons:
        with rasterio.open(case.before) as raster:
            transform = raster.transform
        numbered = zip(result.changes.geometry, range(1, result.polygons + 1), strict=True)
        numbers = rasterio.features.rasterize(
            numbered, numbers.shape, transform=transform, dtype="int32"
        )
    objects, count = ndimage.label(case.changed)
    touched = np.unique(objects[(numbers > 0) & case.changed])
    touching = np.unique(numbers[(numbers > 0) & case.changed])
    squares = tuple(squares_of(numbers > 0, case.changed))
    return Found(squares, (count, len(touched)), (result.polygons, len(touching)))


def squares_of(found: NDArray[np.bool_], changed: NDArray[np.bool_]) -> Iterator[Counts]:
    """The counts in each square of a pair."""
    label = changed.astype(np.uint8)
    for row, col in np.ndindex(*(-(-length // SQUARE_PX) for length in found.shape)):
        part = np.s_[row * SQUARE_PX :, col * SQUARE_PX :]
        square = np.s_[:SQUARE_PX, :SQUARE_PX]
        yield Counts.of(found[part][square], label[part][square])


def figures_of(
    name: str, folder: Path, model: str, scratch: Path, only: str | None = None
) -> dict[str, float]:
    """The figures of a data set; none if it is missing."""
    cases = SETS[name](folder, scratch)
    try:
        found = sum((run_case(case, model, scratch / "c.gpkg", only) for case in cases), Found())
    except (OSError, GeochangeError):
        return {}
    counts = found.squares
    if not counts:
        return {}
    pooled = sum(counts, Counts())
    if name == "revisits":
        return {"false": (pooled.fp + pooled.tp) / (pooled.fp + pooled.tn)}
    figures = pooled.figures()
    low, high = interval(counts)["f1"]
    return {
        **{key: figures[key] for key in ("f1", "precision", "recall")},
        **{"low": low, "high": high, "polygons": found.polygons[0]},
        "objects": found.objects[1] / max(1, found.objects[0]),
        "touching": found.polygons[1] / max(1, found.polygons[0]),
    }


def filters_of(name: str, model: str) -> list[str | None]:
    """What `--only` is measured with."""
    if name != "LEVIR-CD" or kind_of(model) != "weights":
        return [None]
    card = read_checkpoint(locate_weights(model)).card
    return [None, "building"] if card.options.land or card.land else [None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", default=["changeclip-small", "cva", "irmad"])
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--save", type=Path)
    words = parser.parse_args()
    kept: dict[str, dict[str, dict[str, float]]] = {}
    for model in words.models:
        with tempfile.TemporaryDirectory() as scratch:
            for name, only in [(n, only) for n in words.sets for only in filters_of(n, model)]:
                figures = figures_of(name, words.folder, model, Path(scratch), only)
                told = " ".join(f"{key} {value:.4g}" for key, value in figures.items())
                title = f"{name} --only {only}" if only else name
                print(f"{model} {title}: {told or 'not in ' + str(words.folder)}", flush=True)
                kept.setdefault(model, {})[title] = figures
    if words.save:
        words.save.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
