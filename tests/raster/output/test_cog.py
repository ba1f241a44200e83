"""The probability raster: exact pixels, mean overviews, a palette, and the layout of a COG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import ColorInterp

from geochange.errors import InputError, OutputError
from geochange.grid.probability_bytes import NODATA
from geochange.qgis.style import probability_colormap
from geochange.raster.output import cog
from geochange.raster.output.cog import COG_TILE_PX, Block, write_cog

UTM = CRS.from_epsg(32632)
CUSTOM = CRS.from_proj4("+proj=laea +lat_0=52.3 +lon_0=9.7 +x_0=1000 +y_0=7 +ellps=GRS80 +units=m")
ROTATED = Affine(0.5, 0.1, 500_000, 0.1, -0.5, 5_000_000)


def picture(height: int, width: int) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width), dtype=np.uint8)
    pixels[: height // 5, : width // 3] = NODATA
    return pixels


def cut(pixels: NDArray[np.uint8], side: int) -> Iterator[Block]:
    for row in range(0, pixels.shape[0], side):
        for column in range(0, pixels.shape[1], side):
            yield row, column, pixels[row : row + side, column : column + side]


def write(path: Path, pixels: NDArray[np.uint8], side: int = 700, crs: CRS = UTM) -> None:
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    write_cog(cut(pixels, side), path, pixels.shape, crs, ROTATED, scratch)
    assert list(scratch.iterdir()) == []
    scratch.rmdir()


def averaged(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Means of 2 x 2 pixels, nodata left out; NaN where all four are nodata."""
    quads = np.where(pixels == NODATA, np.nan, pixels.astype(float))
    quads = quads.reshape(pixels.shape[0] // 2, 2, pixels.shape[1] // 2, 2)
    known = np.isfinite(quads).sum((1, 3))
    return np.where(known, np.nansum(quads, (1, 3)) / np.maximum(known, 1), np.nan)


@pytest.mark.parametrize("crs", [UTM, CUSTOM], ids=["utm", "custom"])
@pytest.mark.parametrize(
    "shape", [(1, 1), (COG_TILE_PX, COG_TILE_PX), (COG_TILE_PX + 1, 3), (700, 1300)]
)
def test_pixels_and_place(tmp_path: Path, shape: tuple[int, int], crs: CRS) -> None:
    pixels = picture(*shape)
    write(tmp_path / "p.tif", pixels, crs=crs)
    assert list(tmp_path.iterdir()) == [tmp_path / "p.tif"]
    with rasterio.open(tmp_path / "p.tif") as raster:
        assert np.array_equal(raster.read(1), pixels)
        assert raster.dtypes == ("uint8",) and raster.nodata == NODATA
        assert raster.transform == ROTATED
        assert CRS.from_user_input(raster.crs).equals(crs, ignore_axis_order=True)
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_blocks(tmp_path: Path) -> None:
    pixels = picture(900, 1100)
    for side in (256, 384, 1100):
        write(tmp_path / f"{side}.tif", pixels, side)
    first, *others = (path.read_bytes() for path in tmp_path.iterdir())
    assert all(other == first for other in others)


def test_palette_is_the_ramp(tmp_path: Path) -> None:
    write(tmp_path / "p.tif", picture(600, 600))
    with rasterio.open(tmp_path / "p.tif") as raster:
        assert raster.colorinterp == (ColorInterp.palette,)
        assert raster.colormap(1) == probability_colormap()


@pytest.mark.slow
def test_overviews_are_averages_of_probabilities(tmp_path: Path) -> None:
    pixels = picture(1200, 1400)
    write(tmp_path / "p.tif", pixels)
    with rasterio.open(tmp_path / "p.tif") as raster:
        assert raster.overviews(1) == [2, 4]
    with rasterio.open(tmp_path / "p.tif", overview_level=0) as overview:
        small = overview.read(1)
    wanted = averaged(pixels)
    assert np.array_equal(small == NODATA, np.isnan(wanted))
    known = small != NODATA
    assert np.abs(small[known] - wanted[known]).max() <= 0.5


@pytest.mark.slow
def test_layout_is_cloud_optimised(tmp_path: Path) -> None:
    """All directories come first, full size to smallest; pixels come smallest first."""
    tifffile = pytest.importorskip("tifffile")
    write(tmp_path / "p.tif", picture(1200, 1400))
    with tifffile.TiffFile(tmp_path / "p.tif") as tiff:
        pages = list(tiff.pages)
        assert [page.shape for page in pages] == [(1200, 1400), (600, 700), (300, 350)]
        assert all(page.is_tiled and page.tile == (COG_TILE_PX, COG_TILE_PX) for page in pages)
        directories = [page.offset for page in pages]
        first_pixels = [min(page.dataoffsets) for page in pages]
    assert directories == sorted(directories)
    assert first_pixels == sorted(first_pixels, reverse=True)
    assert directories[-1] < first_pixels[-1]


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path) -> None:
    left = tmp_path / "p.tif.plain.tif"
    left.write_text("half")
    write_cog(cut(picture(9, 9), 9), tmp_path / "p.tif", (9, 9), UTM, ROTATED, tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "p.tif"]


def test_what_no_block_covers_is_nodata(tmp_path: Path) -> None:
    write_cog(
        [(3, 2, np.zeros((4, 5), np.uint8))], tmp_path / "p.tif", (9, 8), UTM, ROTATED, tmp_path
    )
    with rasterio.open(tmp_path / "p.tif") as raster:
        pixels = raster.read(1)
    assert (pixels[3:7, 2:7] == 0).all() and (pixels == NODATA).sum() == 72 - 20


def test_failure_of_the_blocks_goes_through_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.tif"
    path.write_text("old")

    def blocks() -> Iterator[Block]:
        yield 0, 0, np.zeros((5, 5), np.uint8)
        raise InputError("the raster ends here")

    with pytest.raises(InputError, match="ends here"):
        write_cog(blocks(), path, (10, 10), UTM, ROTATED, tmp_path)
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "old"


def test_pixels_lost_in_silence_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = cog._fill
    monkeypatch.setattr(cog, "_fill", lambda *arguments: honest(*arguments) + 1)
    with pytest.raises(OutputError, match="not all of it arrived"):
        write_cog(cut(picture(9, 9), 9), tmp_path / "p.tif", (9, 9), UTM, ROTATED, tmp_path)
    assert list(tmp_path.iterdir()) == []
