"""Scenes at two dates: an image, and the same image moved by a known part of a pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from makers import make_raster
from numpy.typing import NDArray
from scipy import ndimage

from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import inspect_raster


def ground(size: int, seed: int = 0) -> NDArray[np.float32]:
    """(size, size) of fields with sharp borders and some grain, between 0 and 255."""
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, size, (max(8, size * size // 400), 2))
    values = rng.uniform(40, 210, len(seeds))
    image = np.zeros((size, size), int)
    image[tuple(seeds.astype(int).T)] = np.arange(1, len(seeds) + 1)
    nearest = ndimage.distance_transform_edt(image == 0, return_indices=True)[1]
    fields = values[image[tuple(nearest)] - 1]
    return np.asarray(ndimage.gaussian_filter(fields, 0.8), np.float32)


def shifted_image(
    pixels: NDArray[np.float32], shift: tuple[float, float], seed: int = 1, noise: float = 5
) -> NDArray[np.float32]:
    """The image with its objects moved down and to the right, in other light, with noise."""
    rng = np.random.default_rng(seed)
    seen = ndimage.shift(pixels, shift, order=3, mode="reflect")
    return np.asarray(seen * 0.7 + 25 + rng.normal(0, noise, pixels.shape), np.float32)


def pair_of(folder: Path, before: NDArray[Any], after: NDArray[Any], **profile: Any) -> RasterPair:
    """Two images on one grid, as a pair of 8-bit rasters."""
    paths = [
        make_raster(folder / name, np.clip(np.rint(pixels), 0, 255).astype(np.uint8), **profile)
        for name, pixels in (("before.tif", before), ("after.tif", after))
    ]
    return align_pair(
        inspect_raster(paths[0]), inspect_raster(paths[1]), "before", Bands((1,), (1,))
    )
