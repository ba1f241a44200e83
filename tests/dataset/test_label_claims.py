"""Labels and probabilities that claim more pixels than their files hold are refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from hostile_rasters import many_bands, sparse, vrt_of_nothing
from limited_process import assert_refused, call_limited, command
from makers import make_raster, noise

from geochange.dataset.labels import open_labels
from geochange.errors import InputError
from geochange.raster.reader import PROBABILITY_BAND, inspect_raster

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: sparse(path.with_suffix(".tif"), tile=4096, bands=1), "nearly all of it is"),
        (lambda path: vrt_of_nothing(path, bands=1), "nearly all of it is empty; cut it to the"),
        (lambda path: many_bands(path.with_suffix(".tif")), "holds 60,000 bands, but a label has"),
        (
            lambda path: sparse(path.with_suffix(".tif"), 50_000, 40_000 // 16 * 16, bands=2),
            "blocks of 40,000 x 40,000 px",
        ),
    ],
)
def test_labels_of_absurd_size_are_refused(make: object, says: str, tmp_path: Path) -> None:
    grid = inspect_raster(make_raster(tmp_path / "before.tif", noise((20, 30)))).grid
    labels = make(tmp_path / "labels.vrt")  # type: ignore[operator]  # one of the makers above
    with pytest.raises(InputError, match=says):
        open_labels(labels, grid)


@pytest.mark.slow
def test_an_empty_probability_is_not_traced(tmp_path: Path) -> None:
    path = sparse(tmp_path / "changes.tif", tile=4096, bands=1)
    with rasterio.open(path, "r+") as raster:
        raster.set_band_description(1, PROBABILITY_BAND)
    words = ("polygonize", str(path), "--out", str(tmp_path / "out.gpkg"))
    assert_refused(call_limited(command, *words, memory_mb=800), says="nearly all of it is empty")
