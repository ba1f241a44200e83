"""Bands in separate files are one raster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from makers import LONLAT, NORTH_UP, make_raster, noise

from geochange.errors import InputError
from geochange.raster.bands import Bands
from geochange.raster.fingerprint import files_of
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.sources.band_stack import STACK_SEPARATOR, is_stack
from geochange.raster.sources.band_stack import stack_files as files_of_stack
from geochange.raster.sources.resolve import source_of

RGB = Bands((1, 2, 3), (1, 2, 3))


def stack(folder: Path, pixels: np.ndarray, **profile: object) -> str:
    paths = [
        make_raster(folder / f"B{band}.tif", pixels[..., band], **profile)
        for band in range(pixels.shape[-1])
    ]
    return STACK_SEPARATOR.join(map(str, paths))


@pytest.mark.slow
@pytest.mark.parametrize("after", [NORTH_UP, NORTH_UP @ Affine.translation(0.5, 0.5)])
def test_it_reads_as_one_file_would(tmp_path: Path, after: Affine) -> None:
    pixels = noise((30, 40, 3), dtype="uint16")
    path = stack(tmp_path, pixels, nodata=0)
    whole = make_raster(tmp_path / "whole.tif", pixels, nodata=0)
    other = inspect_raster(make_raster(tmp_path / "other.tif", pixels, transform=after))
    for grid in ("before", "after"):
        dates = [
            align_pair(inspect_raster(name), other, grid, RGB).before for name in (path, str(whole))
        ]
        answers = []
        for date in dates:
            with date.reader() as read:
                answers.append(read(date.grid.full_window))
        for one, two in zip(*answers, strict=True):
            np.testing.assert_array_equal(one, two)


def test_masks_of_the_first_file_count(tmp_path: Path) -> None:
    mask = noise((30, 40)) > 50
    path = stack(tmp_path, noise((30, 40, 3)), mask=mask)
    info = inspect_raster(path)
    with align_pair(info, info, "before", RGB).before.reader() as read:
        np.testing.assert_array_equal(read(info.grid.full_window)[1], mask)


def test_its_name_holds_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stack(tmp_path, noise((8, 9, 2)))
    monkeypatch.chdir(tmp_path)
    assert source_of("B0.tif + B1.tif") == path
    assert files_of(inspect_raster(path))[1:] == path.split(STACK_SEPARATOR)
    odd = make_raster(tmp_path / "a + b.tif", noise((8, 9)))
    assert not is_stack(str(odd))
    assert inspect_raster(odd).data_bands == (1,)


@pytest.mark.parametrize(
    ("there", "path", "files"),
    [
        (["a + b.tif", "c.tif"], "a + b.tif + c.tif", ["a + b.tif", "c.tif"]),
        (["c.tif", "a + b.tif"], "c.tif + a + b.tif", ["c.tif", "a + b.tif"]),
        (
            ["d + e/a.tif", "d + e/b.tif"],
            "d + e/a.tif + d + e/b.tif",
            ["d + e/a.tif", "d + e/b.tif"],
        ),
        (["d + e/a.tif"], "d + e/a.tif + d + e/gone.tif", ["d + e/a.tif", "d + e/gone.tif"]),
        (["d + e/a.tif"], "d + e/*.tif + gone.tif", ["d + e/*.tif", "gone.tif"]),
        (["a.tif", "b.tif"], "a.tif + b.tif", ["a.tif", "b.tif"]),
        ([], "a.tif + b.tif", ["a.tif", "b.tif"]),
    ],
)
def test_a_sign_in_a_name_that_is_there_parts_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    there: list[str],
    path: str,
    files: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert is_stack(path) and files_of_stack(path) == files
    assert not any(is_stack(name) for name in there)


def test_a_long_stack_is_one(tmp_path: Path) -> None:
    """Its name is longer than a path may be."""
    names = [f"{tmp_path}/{'x' * 60}{number}.tif" for number in range(64)]
    path = STACK_SEPARATOR.join(names)
    assert len(path) > 4096 and is_stack(path) and files_of_stack(path) == names


@pytest.mark.slow
def test_tile_sets_can_be_stacked(tmp_path: Path) -> None:
    pixels = noise((20, 40, 2))
    for band in range(2):
        for part in range(2):
            corner = NORTH_UP @ Affine.translation(20 * part, 0)
            here = pixels[:, 20 * part : 20 * part + 20, band]
            make_raster(tmp_path / f"B{band}_{part}.tif", here, transform=corner)
    info = inspect_raster(
        STACK_SEPARATOR.join(str(tmp_path / f"B{band}_*.tif") for band in range(2))
    )
    with align_pair(info, info, "before", Bands((1, 2), (1, 2))).before.reader() as read:
        np.testing.assert_array_equal(read(info.grid.full_window)[0], pixels)
    assert len(files_of(info)) == 7


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"transform": NORTH_UP @ Affine.scale(2)}, "another grid"),
        ({"crs": LONLAT}, "CRS WGS 84"),
    ],
)
def test_misfits_are_named(tmp_path: Path, profile: dict[str, object], said: str) -> None:
    one = make_raster(tmp_path / "one.tif", noise((8, 9)))
    two = make_raster(tmp_path / "two.tif", noise((8, 9)), **profile)
    with pytest.raises(InputError, match=said) as refused:
        inspect_raster(f"{one}{STACK_SEPARATOR}{two}")
    assert "two.tif" in str(refused.value)
    with pytest.raises(InputError, match="name up to"):
        inspect_raster(f"{one}{STACK_SEPARATOR}{STACK_SEPARATOR}{one}")
    with pytest.raises(InputError, match="no such file"):
        inspect_raster(f"{one}{STACK_SEPARATOR}{tmp_path / 'gone.tif'}")
