"""Small images of large rasters: correct, and without reading the whole raster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from makers import NORTH_UP, UTM, make_raster, noise
from rasterio.enums import Resampling

from geochange.grid.tiling import Window
from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.pictures import overview as glancing
from geochange.raster.pictures.overview import is_slow, read_overview
from geochange.raster.reader import inspect_raster
from geochange.raster.warped_raster import WarpedRaster


def date_of(path: Path, other: Path | None = None) -> WarpedRaster:
    """The raster as the date after, on the grid of another, or its own."""
    before, after = inspect_raster(other or path), inspect_raster(path)
    return align_pair(before, after, "before", Bands(before.data_bands, after.data_bands)).after


def slope(shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    rows, cols = np.indices(shape)
    return np.stack([rows * 200 // shape[0] + 20, cols * 200 // shape[1] + 20], -1).astype(np.uint8)


def blocks_mean(pixels: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    height, width, bands = pixels.shape
    cut = pixels.reshape(height // size, size, width // size, size, bands)
    return cut.mean(axis=(1, 3))


def test_a_small_raster_is_averaged(tmp_path: Path) -> None:
    pixels = noise((120, 200, 3))
    seen = read_overview(
        date_of(make_raster(tmp_path / "a.tif", pixels)), Window(0, 0, 120, 200), 50
    )
    assert not seen.sparse and seen.valid.all()
    np.testing.assert_allclose(seen.pixels, blocks_mean(pixels, 4), atol=0.51)


def test_a_window_is_not_enlarged(tmp_path: Path) -> None:
    pixels = noise((40, 60, 3))
    seen = read_overview(
        date_of(make_raster(tmp_path / "a.tif", pixels)), Window(10, 20, 8, 12), 300
    )
    np.testing.assert_array_equal(seen.pixels, pixels[10:18, 20:32])


def test_what_has_no_data_does_not_darken_its_neighbours(tmp_path: Path) -> None:
    pixels = np.full((40, 40, 1), 200, np.uint8)
    pixels[:, :22] = 0
    seen = read_overview(
        date_of(make_raster(tmp_path / "a.tif", pixels, nodata=0)), Window(0, 0, 40, 40), 10
    )
    np.testing.assert_array_equal(seen.valid[0], [False] * 5 + [True] * 5)
    assert (seen.pixels[seen.valid] == 200).all()


def test_a_warped_date_is_averaged_too(tmp_path: Path) -> None:
    before = make_raster(tmp_path / "a.tif", slope((200, 200)))
    turned = NORTH_UP @ Affine.translation(100, -40) @ Affine.rotation(45)
    after = make_raster(tmp_path / "b.tif", slope((200, 200)), transform=turned)
    date = date_of(after, before)
    assert date.offset_px is None
    whole = date.grid.full_window
    seen = read_overview(date, whole, max(whole.height, whole.width) // 5)
    with date.reader() as read:
        full, valid = read(whole)
    rows, cols = (length // 5 * 5 for length in full.shape[:2])
    inner = valid[:rows, :cols].reshape(rows // 5, 5, cols // 5, 5).all(axis=(1, 3))
    inner &= seen.valid[: rows // 5, : cols // 5]
    assert inner.sum() > 100
    gap = np.abs(seen.pixels[: rows // 5, : cols // 5] - blocks_mean(full[:rows, :cols], 5))
    assert gap[inner].max() < 6


Counted = Callable[[], int]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """The number of pixels that were read at full resolution."""
    counts: list[int] = []
    read = glancing.WarpedRaster._read_piece

    def count(self: WarpedRaster, dataset: Any, piece: Window, shape: Any = None) -> Any:
        counts.append(piece.pixels)
        return read(self, dataset, piece, shape)

    monkeypatch.setattr(glancing.WarpedRaster, "_read_piece", count)
    return lambda: sum(counts)


@pytest.mark.slow
@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 64, "blockysize": 64}, {}])
def test_a_huge_raster_without_overviews_is_looked_at_here_and_there(
    layout: dict[str, Any], tmp_path: Path, decoded: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glancing, "MOST_PX", 2**18)
    pixels = slope((2000, 3000))
    date = date_of(make_raster(tmp_path / "a.tif", pixels, **layout))
    seen = read_overview(date, Window(0, 0, 2000, 3000), 300)
    assert seen.sparse and seen.valid.all()
    assert decoded() <= 2**18
    rows, cols, _ = seen.pixels.shape
    assert rows >= 6 and cols >= 9
    expected = slope((rows, cols)).astype(float) + 100 / np.array([rows, cols])
    assert np.abs(seen.pixels - expected).max() < 4


@pytest.mark.slow
def test_overviews_are_used(
    tmp_path: Path, decoded: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glancing, "MOST_PX", 2**18)
    path = make_raster(tmp_path / "a.tif", slope((2048, 2048)), tiled=True)
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([2, 4, 8], Resampling.average)
    seen = read_overview(date_of(path), Window(0, 0, 2048, 2048), 256)
    assert not seen.sparse and seen.pixels.shape[:2] == (256, 256)
    np.testing.assert_allclose(seen.pixels, blocks_mean(slope((2048, 2048)), 8), atol=1)


def test_what_cannot_be_read_is_invalid(tmp_path: Path) -> None:
    path = make_raster(
        tmp_path / "a.tif", noise((600, 600, 1)), UTM, compress="deflate", tiled=True
    )
    date = date_of(path)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 60_000] = b"\0" * 60_000
    path.write_bytes(damaged)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geochange.raster.access.retry.sleep", lambda _: None)
        seen = read_overview(date, Window(0, 0, 600, 600), 100)
    assert not seen.valid.any()


def test_only_many_pixels_without_overviews_are_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiled = {"tiled": True, "blockxsize": 32, "blockysize": 32}
    path = make_raster(tmp_path / "a.tif", noise((128, 128, 1)), **tiled)
    whole = Window(0, 0, 128, 128)
    assert not is_slow(date_of(path), whole, 16)
    monkeypatch.setattr(glancing, "QUICK_PX", 64 * 64)
    assert is_slow(date_of(path), whole, 16)
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([2, 4], Resampling.average)
    assert not is_slow(date_of(path), whole, 16)
