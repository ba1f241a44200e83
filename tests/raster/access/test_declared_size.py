"""Rasters that claim more than they hold are refused quickly and with little memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile_rasters import (
    many_bands,
    one_strip,
    png_bomb,
    sparse,
    tile_beyond,
    vrt_of_little,
    vrt_of_nothing,
)
from limited_process import assert_refused, call_limited, command
from makers import make_raster, noise

from geochange.errors import InputError, OptionError
from geochange.grid.tiling import TilePlan
from geochange.raster.access.declared_size import (
    ALWAYS_ACCEPTED_PX,
    PIXELS_PER_BYTE,
    is_implausible_size,
    refuse_implausible_size,
)
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.pictures.image import describe_picture, read_picture
from geochange.raster.pictures.label_image import MOST_BANDS, read_label
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.radiometry import UNCHANGED
from geochange.running.plan.memory_budget import block_bytes, check_read_memory, reading_bytes

RASTERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a.vrt": (vrt_of_nothing, "nearly all of it is empty; limit the run"),
    "b.vrt": (
        lambda path: vrt_of_little(path, make_raster(path.with_suffix(".tif"), noise((9, 9, 3)))),
        "nearly all of it is empty; limit the run",
    ),
    "c.tif": (sparse, "blocks of 65,520 x 65,520 px"),
    "d.tif": (lambda path: sparse(path, tile=4096), "nearly all of it is empty; limit the run"),
    "e.tif": (lambda path: sparse(path, 40_000, 32_768), "blocks of 32,768 x 32,768 px"),
    "f.vrt": (
        lambda path: vrt_of_little(path, sparse(path.with_suffix(".tif"), 40_000, 32_768), 50),
        "blocks of 50 x 50 px, and each needs 6.4 GB to decode",
    ),
}


def pair_of(path: Path) -> RasterPair:
    info = inspect_raster(path)
    return align_pair(info, info, "before", Bands((1,), (1,)))


@pytest.mark.slow
@pytest.mark.parametrize("name", RASTERS)
def test_run_and_check_refuse_what_is_not_there(name: str, tmp_path: Path) -> None:
    make, says = RASTERS[name]
    raster = str(make(tmp_path / name))
    for words in (
        ("check", raster, raster),
        ("run", raster, raster, "--out", str(tmp_path / "out.gpkg"), "--max-memory", "2"),
    ):
        outcome = call_limited(command, *words, memory_mb=800)
        assert_refused(outcome, says=says)
        assert outcome.rise_mb < 400
    assert not list(tmp_path.glob("*out*"))


def test_an_area_of_a_claim_can_be_worked(tmp_path: Path) -> None:
    pair = pair_of(vrt_of_nothing(tmp_path / "a.vrt"))
    with pytest.raises(InputError, match="limit the run to the area with images"):
        refuse_implausible_size(pair)
    part = TilePlan(pair.grid.shape, 256, 64, 8).output_window((1, 1))
    refuse_implausible_size(pair.crop(part))


def test_what_is_small_or_full_is_no_claim() -> None:
    assert not is_implausible_size(ALWAYS_ACCEPTED_PX, 0)
    assert is_implausible_size(ALWAYS_ACCEPTED_PX + 1, 0)
    assert not is_implausible_size(10**12, 10**12 // PIXELS_PER_BYTE)
    assert is_implausible_size(10**12, 10**12 // PIXELS_PER_BYTE - 1)


def test_a_sparse_raster_in_usual_tiles_is_no_claim(tmp_path: Path) -> None:
    """It has no pixel at all, but its size is usual."""
    refuse_implausible_size(pair_of(sparse(tmp_path / "a.tif", 20_000, 256)))


def test_large_blocks_count_as_memory_of_each_thread(tmp_path: Path) -> None:
    tiles = pair_of(make_raster(tmp_path / "a.tif", noise((64, 64, 3))))
    assert reading_bytes(tiles) == 0
    blocks = pair_of(sparse(tmp_path / "b.tif", 9000, 8192, bands=3))
    # All decoded bands of both dates, and once more in GDAL's cache.
    assert reading_bytes(blocks) == 2 * 2 * 3 * 8192**2
    assert block_bytes(blocks, TilePlan((9000, 9000)), UNCHANGED) < reading_bytes(blocks)
    check_read_memory(blocks, 10.0)
    check_read_memory(tiles, 0.1)
    with pytest.raises(
        OptionError, match=r"--max-memory 0\.5: to read any pixel .*403 MB, .*tiles"
    ):
        check_read_memory(blocks, 0.5)


def test_the_blocks_behind_a_virtual_raster_count(tmp_path: Path) -> None:
    source = sparse(tmp_path / "b.tif", 9000, 8192, bands=3)
    assert (
        inspect_raster(vrt_of_little(tmp_path / "a.vrt", source, 100)).reading_bytes == 6 * 8192**2
    )
    stacked = f"{source} + {source}"
    assert inspect_raster(stacked).reading_bytes == 6 * 8192**2


@pytest.mark.slow
def test_huge_blocks_are_not_unpacked_for_a_look(tmp_path: Path) -> None:
    path = sparse(tmp_path / "a.tif", 10_000, 9_984, bands=3)
    outcome = call_limited(inspect_raster, str(path), memory_mb=400)
    assert (outcome.fault, outcome.refusal) == ("", "")
    assert outcome.rise_mb < 100


@pytest.mark.slow
def test_one_strip_is_read_row_by_row(tmp_path: Path) -> None:
    path = one_strip(tmp_path / "a.tif", 6000, bands=3)
    assert inspect_raster(path).reading_bytes < 2**20
    outcome = call_limited(inspect_raster, str(path), memory_mb=400)
    assert outcome.fault == ""


@pytest.mark.slow
def test_very_many_bands_take_no_time(tmp_path: Path) -> None:
    path = many_bands(tmp_path / "a.tif")
    outcome = call_limited(inspect_raster, str(path), memory_mb=1000, seconds=60)
    assert outcome.fault == ""
    assert len(outcome.value.bands) == 60_000
    assert outcome.rise_mb < 400


PICTURES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a.png": (png_bomb, "50,000 x 50,000 px, too many to read at once"),
    "b.tif": (lambda path: sparse(path, 50_000, 256), "too many to read at once"),
    "c.tif": (tile_beyond, "blocks of 32,768 x 32,768 px"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_a_chip_is_looked_at_before_it_is_unpacked(name: str, tmp_path: Path) -> None:
    make, says = PICTURES[name]
    path = make(tmp_path / name)
    for look in (describe_picture, read_label):
        outcome = call_limited(look, path, memory_mb=400)
        assert says in outcome.refusal, outcome
        assert outcome.rise_mb < 100


def test_of_many_bands_a_chip_has_three_and_a_label_none(tmp_path: Path) -> None:
    path = many_bands(tmp_path / "a.tif", 2000, 40)
    pixels, _ = read_picture(path, None)
    assert pixels.shape == (40, 40, 3)
    with pytest.raises(InputError, match="holds 2,000 bands, but a label has one"):
        read_label(path)
    few = make_raster(tmp_path / "b.tif", np.zeros((5, 5, MOST_BANDS), np.uint8))
    assert read_label(few).raw.shape == (5, 5)
