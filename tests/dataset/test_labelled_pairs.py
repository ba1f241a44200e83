"""Labelled pairs as chips: as `run` reads them, with a label, in every process."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from makers import LONLAT, NORTH_UP, make_raster, noise
from polygon_files import make_polygons, square

from geochange.dataset.labelled_pairs import PairChips, find_pairs, open_scene
from geochange.errors import InputError, OptionError
from geochange.grid.tiling import Window
from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.radiometry import choose_radiometry
from geochange.raster.scene.sampling import SceneSample

SHAPE = (50, 70)


def make_pair(folder: Path, seed: int = 0, **profile: object) -> Path:
    """before.tif and after.tif of three bands, and labels with one square."""
    folder.mkdir(parents=True)
    for number, name in enumerate(("before.tif", "after.tif")):
        make_raster(folder / name, noise((*SHAPE, 3), 2 * seed + number), **profile)
    make_polygons(folder / "labels.gpkg", [square(10, 20, 15)], LONLAT)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A split of two pairs, and other files."""
    make_pair(tmp_path / "train" / "town", 1)
    make_pair(tmp_path / "train" / "lake", 2)
    (tmp_path / "train" / "notes").mkdir()
    (tmp_path / "train" / "readme.txt").write_text("two pairs")
    return tmp_path / "train"


def test_pairs_are_found_by_name(root: Path) -> None:
    pairs = find_pairs(root)
    assert [pair.name for pair in pairs] == ["lake", "town"]
    assert pairs[1].labels == root / "town" / "labels.gpkg"


@pytest.mark.parametrize(
    "name", ["labels.kml", "labels.geojsonl", "labels.shp.zip", "labels.gml", "labels.png"]
)
def test_labels_may_be_of_any_format_that_is_read(root: Path, name: str) -> None:
    (root / "town" / "labels.gpkg").unlink()
    (root / "town" / "labels.txt").touch()
    with pytest.raises(InputError, match=r"town: holds no labels; put one of labels\.gpkg"):
        find_pairs(root)
    (root / "town" / name).touch()
    assert find_pairs(root)[1].labels == root / "town" / name
    (root / "town" / "labels.tif").touch()
    assert find_pairs(root)[1].labels == root / "town" / "labels.tif"


@pytest.mark.slow
def test_chips_are_the_pixels_of_the_pair(root: Path) -> None:
    source = PairChips(find_pairs(root), size_px=32)
    assert len(source) == 2 * 2 * 3
    names = [source.name(number) for number in range(len(source))]
    assert len(set(names)) == len(names)
    assert (names[0], names[11]) == ("lake_0_0", "town_18_38")
    assert source.pictures(11) == ("town/before/town_18_38", "town/after/town_18_38")
    chip = source[11]
    assert np.array_equal(chip.before, noise((*SHAPE, 3), 2)[18:, 38:])
    assert np.array_equal(chip.after, noise((*SHAPE, 3), 3)[18:, 38:])
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[10:25, 20:35] = 1
    assert np.array_equal(source[6].label, drawn[:32, :32])
    assert chip.label is not None and chip.label.dtype == np.uint8 and chip.valid.all()


@pytest.mark.slow
def test_numbers_beyond_the_last(root: Path) -> None:
    source = PairChips(find_pairs(root), size_px=32)
    for number in (-1, 12):
        with pytest.raises(IndexError):
            source[number]
    assert len(PairChips(())) == 0


@pytest.mark.slow
def test_its_pickle_is_small_and_reads_the_same(root: Path) -> None:
    source = PairChips(find_pairs(root), size_px=32)
    packed = pickle.dumps(source)
    assert len(packed) < 20_000
    other = pickle.loads(packed)
    assert other == source
    assert np.array_equal(other[3].before, source[3].before)


def test_a_pair_smaller_than_a_chip_is_unknown_beyond(root: Path) -> None:
    chip = PairChips(find_pairs(root)[:1], size_px=96)[0]
    assert chip.shape == (96, 96)
    assert chip.label is not None
    assert (chip.label[: SHAPE[0], : SHAPE[1]] != 255).all()
    assert (chip.label == 255).sum() == 96 * 96 - SHAPE[0] * SHAPE[1]


def test_missing_data_is_unknown_and_no_change(tmp_path: Path) -> None:
    make_pair(tmp_path / "pair")
    pixels = noise((*SHAPE, 3), 1)
    pixels[:15] = 0
    make_raster(tmp_path / "pair" / "after.tif", pixels, nodata=0)
    chip = PairChips(find_pairs(tmp_path), size_px=50)[0]
    assert chip.label is not None
    assert (chip.label[:15] == 255).all() and (chip.label[15:] != 255).all()
    assert np.array_equal(chip.before[:15], chip.after[:15])


def test_the_stretch_is_that_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "pair"
    folder.mkdir()
    for number, name in enumerate(("before.tif", "after.tif")):
        make_raster(folder / name, noise((*SHAPE, 4), number).astype(np.uint16) * 31)
    make_polygons(folder / "labels.geojson", [square(0, 0, 9)])
    dates = inspect_raster(folder / "before.tif"), inspect_raster(folder / "after.tif")
    pair = align_pair(*dates, "before", Bands((4, 2, 1), (4, 2, 1)))
    radiometry = choose_radiometry("auto", *SceneSample(pair).pixels())
    raw = [noise((*SHAPE, 4), number).astype(np.uint16)[..., [3, 1, 0]] * 31 for number in (0, 1)]
    expected = radiometry.apply(*raw)
    source = PairChips(find_pairs(tmp_path), bands=(4, 2, 1), size_px=50)
    chip = source[0]
    assert chip.before.dtype == np.uint8
    assert np.array_equal(chip.before, expected[0][:, :50])
    assert np.array_equal(chip.after, expected[1][:, :50])


def test_one_band_becomes_three(tmp_path: Path) -> None:
    folder = make_pair(tmp_path / "pair")
    grey = noise(SHAPE, 5)
    make_raster(folder / "before.tif", grey)
    chip = PairChips(find_pairs(tmp_path), size_px=50)[0]
    assert all(np.array_equal(chip.before[..., band], grey[:, :50]) for band in range(3))


def test_chips_on_the_grid_of_another_raster(tmp_path: Path) -> None:
    folder = make_pair(tmp_path / "pair")
    finer = make_raster(
        tmp_path / "finer.tif", noise((60, 60)), transform=NORTH_UP @ Affine.scale(0.5)
    )
    files = (folder / "before.tif", folder / "after.tif", folder / "labels.gpkg")
    scene = open_scene(*files, grid=str(finer))
    assert scene.pair.grid.shape == (60, 60)
    with scene.reader() as read:
        label = read(Window(0, 0, 60, 60)).label
    assert label is not None and label[20:50, 40:].all() and label.sum() == 30 * 20


def test_refusals(tmp_path: Path) -> None:
    def refused(said: str, **options: object) -> None:
        with pytest.raises((InputError, OptionError)) as error:
            PairChips(find_pairs(tmp_path / "split"), **options)  # type: ignore[arg-type]
        assert said in str(error.value) and "\n" not in str(error.value)

    refused("no such folder")
    folder = tmp_path / "split" / "pair"
    folder.parent.mkdir()
    refused("holds no pair")
    make_pair(folder)
    refused("name three", bands=(1, 2))
    refused("no band 7", bands=(1, 2, 7))
    refused("not one of", stretch="wide")
    make_raster(folder / "after.tif", noise((*SHAPE, 2)))
    refused("has 2 bands")
    make_raster(folder / "after.tif", noise((*SHAPE, 3), dtype=np.uint16))
    refused("uint16, not 8-bit", stretch="none")
    (folder / "labels.gpkg").unlink()
    refused("holds no labels")
    (folder / "after.tif").unlink()
    refused("after.tif: is missing")
