"""Pixel F1 of the polygons of `geochange run` against labels, pooled over the pairs of a set.

python benchmarks/accuracy.py FOLDER [MODEL ...]: FOLDER holds NAME/before.tif, after.tif and
labels.tif (0 = unchanged, other = changed) as in the table PAIRS; absent pairs are said and left out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
import rasterio.features
from numpy.typing import NDArray

from geochange.detection import detect

PAIRS = {
    "LEVIR-CD": (("levir_test_1", "levir_test_2"), "1,2,3"),
    "OSCD": (("oscd_rennes", "oscd_nantes", "oscd_bordeaux"), "4,3,2"),
}


def compare(pair: Path, model: str, bands: str, out: Path) -> NDArray[np.int64]:
    """Pixels right, false and missed of one pair."""
    result = detect(pair / "before.tif", pair / "after.tif", out, model=model, bands=bands)
    with rasterio.open(pair / "labels.tif") as raster:
        labels = raster.read(1)
        transform = raster.transform
    found = np.zeros(labels.shape, np.uint8)
    if result.polygons:
        outlines = result.changes.geometry
        found = rasterio.features.rasterize(outlines, labels.shape, transform=transform)
    truth, said = labels > 0, found > 0
    return np.array([(said & truth).sum(), (said & ~truth).sum(), (~said & truth).sum()])


def main() -> None:
    folder, models = Path(sys.argv[1]), sys.argv[2:] or ["cva", "irmad"]
    with tempfile.TemporaryDirectory() as scratch:
        for model in models:
            for name, (pairs, bands) in PAIRS.items():
                here = [folder / pair for pair in pairs if (folder / pair).is_dir()]
                if len(here) < len(pairs):
                    print(
                        f"{name}: {len(pairs) - len(here)} of {len(pairs)} pairs are not in {folder}"
                    )
                if here:
                    out = Path(scratch) / "changes.gpkg"
                    right, false, missed = sum(compare(pair, model, bands, out) for pair in here)
                    print(f"{model} {name}: F1 {2 * right / (2 * right + false + missed):.3f}")


if __name__ == "__main__":
    main()
