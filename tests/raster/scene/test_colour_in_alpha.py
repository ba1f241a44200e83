"""A colour that is flagged as alpha is detected; true transparency is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from makers import NORTH_UP, make_raster, noise
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.colour_in_alpha import colour_in_alpha
from geochange.workflows.inspect_pair import inspect_pair

SHAPE = (60, 70)
RGB = Bands((1, 2, 3), (1, 2, 3))


def feathered() -> NDArray[Any]:
    """Opaque, with a soft seam."""
    alpha = np.full(SHAPE, 255)
    alpha[:, :15] = np.arange(15) * 17
    return alpha


ALPHAS: dict[str, tuple[str, NDArray[Any], int | None]] = {
    "near infrared": ("uint8", noise(SHAPE, 3), 4),
    "near infrared of 16 bits": ("uint16", noise(SHAPE, 3).astype(int) * 300, 4),
    "near infrared with dark water": ("uint8", np.where(noise(SHAPE) < 60, 0, noise(SHAPE, 3)), 4),
    "opaque": ("uint8", np.full(SHAPE, 255), None),
    "opaque in 16 bits": ("uint16", np.full(SHAPE, 65535), None),
    "one and zero": ("uint8", noise(SHAPE) > 100, None),
    "feathered": ("uint8", feathered(), None),
    "nothing but zero": ("uint8", np.zeros(SHAPE), None),
}


@pytest.mark.parametrize("name", ALPHAS)
@pytest.mark.parametrize("off_px", [0, 0.5], ids=["aligned", "warped"])
def test_a_colour_is_told_from_transparency(tmp_path: Path, name: str, off_px: float) -> None:
    dtype, alpha, expected = ALPHAS[name]
    pixels = np.dstack([noise((*SHAPE, 3)), alpha]).astype(dtype)
    moved = NORTH_UP @ NORTH_UP.translation(off_px, off_px)
    first = inspect_raster(make_raster(tmp_path / "b.tif", noise((*SHAPE, 3))))
    path = make_raster(tmp_path / "a.tif", pixels, transform=moved, alpha=True)
    date = align_pair(first, inspect_raster(path), "before", RGB).after
    assert (date.offset_px is None) == (off_px > 0)
    assert colour_in_alpha(date) == expected


def test_what_is_compared_or_not_there_is_no_matter(tmp_path: Path) -> None:
    pixels = noise((*SHAPE, 4))
    flagged = inspect_raster(make_raster(tmp_path / "a.tif", pixels, alpha=True))
    plain = inspect_raster(make_raster(tmp_path / "b.tif", pixels))
    bands = Bands((4, 1, 2), (4, 1, 2))
    pair = align_pair(flagged, plain, "before", bands)
    assert colour_in_alpha(pair.before) is None
    assert colour_in_alpha(pair.after) is None


@pytest.mark.slow
def test_it_is_said_with_cures_that_hold(tmp_path: Path) -> None:
    pixels = noise((*SHAPE, 4))
    pixels[:9, :9, 3] = 0
    before = make_raster(tmp_path / "b.tif", pixels, alpha=True)
    after = make_raster(tmp_path / "a.tif", pixels, alpha=True)
    seen = inspect_pair(before, after)
    said = [line for line in seen.warnings if "flagged as alpha" in line]
    assert said == [
        f"{path}: band 4 is flagged as alpha but varies like a colour: it is not compared, and its "
        "zeros are nodata; if it is near infrared, compare it (--bands 4,1,2) or remove the flag "
        "(gdal_edit.py -colorinterp_4 undefined)"
        for path in (before, after)
    ]
    assert seen.before.nodata > 0
    assert seen.to_json()["before"]["colour_in_alpha"] == 4
    named = inspect_pair(before, after, bands="4,1,2")
    assert "alpha" not in "".join(named.warnings) and named.before.nodata == 0
    for path in (before, after):
        with rasterio.open(path, "r+") as raster:
            raster.colorinterp = [*raster.colorinterp[:3], ColorInterp.undefined]
    unflagged = inspect_pair(before, after)
    assert "alpha" not in "".join(unflagged.warnings) and unflagged.before.nodata == 0
    assert unflagged.before.bands == 4


def test_a_date_without_such_a_band_is_not_told_to_compare_it(tmp_path: Path) -> None:
    before = make_raster(tmp_path / "b.tif", noise((*SHAPE, 4)), alpha=True)
    after = make_raster(tmp_path / "a.tif", noise((*SHAPE, 3)))
    (said,) = (line for line in inspect_pair(before, after).warnings if "alpha" in line)
    assert "--bands" not in said and "gdal_edit.py -colorinterp_4 undefined" in said
