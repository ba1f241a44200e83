"""Statistics of bands: those of all valid pixels of a split, without losing digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from makers import make_raster

from geochange.chip import Chip
from geochange.dataset import open_split
from geochange.dataset.band_statistics import band_statistics
from geochange.errors import InputError, OptionError


class Listed:
    """Chips from a list."""

    def __init__(self, *chips: Chip) -> None:
        self.chips = chips

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, number: int) -> Chip:
        return self.chips[number]

    def pictures(self, number: int) -> tuple[str, str]:
        return f"{number}a", f"{number}b"

    def name(self, number: int) -> str:
        return str(number)


def chip(seed: int, valid: bool = True) -> Chip:
    rng = np.random.default_rng(seed)
    dates = [rng.normal([1e6, -3], [2, 0.5], (9, 7, 2)) for _ in range(2)]
    mask = rng.random((9, 7)) < (0.7 if valid else 0)
    return Chip(dates[0], dates[1], mask)


def test_they_are_those_of_all_valid_pixels_at_once() -> None:
    chips = [chip(1), chip(2), chip(3, valid=False), chip(4)]
    found = band_statistics(Listed(*chips))
    values = np.concatenate([date[c.valid] for c in chips for date in (c.before, c.after)])
    np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, values.std(axis=0), rtol=1e-9)
    assert (found.names, found.numbers) == (("band 1", "band 2"), (1, 2))


def test_a_constant_band_has_a_deviation_of_one() -> None:
    flat = Chip(np.full((4, 4, 1), 7.0), np.full((4, 4, 1), 7.0), np.ones((4, 4), np.bool_))
    assert band_statistics(Listed(flat)).std == (1.0,)


def test_a_split_without_data_is_refused() -> None:
    with pytest.raises(InputError, match="no chip of the split holds a valid pixel"):
        band_statistics(Listed(chip(1, valid=False)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chips of four float bands, of which the third has no name, and labels."""
    root = tmp_path_factory.mktemp("chips")
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("time1", "time2", "label"):
            (root / split / name).mkdir(parents=True)
        for date in ("time1", "time2"):
            path = make_raster(
                root / split / date / "a.tif", rng.normal(0.2, 0.1, (16, 16, 4)).astype(np.float32)
            )
            with rasterio.open(path, "r+") as opened:
                opened.descriptions = ("B02", "B08", None, "height")
        make_raster(root / split / "label" / "a.tif", np.eye(16, dtype=np.uint8))
    return root


@pytest.mark.parametrize("bands", [None, "4,1"])
def test_chips_of_floats_are_read_as_they_are(folder: Path, bands: str | None) -> None:
    source = open_split(folder, "train", bands=bands, pixels="raw")
    chosen = [3, 0] if bands else [0, 1, 2, 3]
    with rasterio.open(folder / "train" / "time2" / "a.tif") as opened:
        np.testing.assert_array_equal(
            source[0].after, np.moveaxis(opened.read(), 0, -1)[..., chosen]
        )
    found = band_statistics(source)
    assert found.names == tuple(("B02", "B08", "band 3", "height")[i] for i in chosen)
    assert found.numbers == tuple(i + 1 for i in chosen)


@pytest.mark.slow
def test_chips_of_power_become_decibels_by_the_training_split(folder: Path) -> None:
    sources = [open_split(folder, split, pixels="db") for split in ("train", "val")]
    assert sources[0].radiometry == sources[1].radiometry  # type: ignore[attr-defined]
    with rasterio.open(folder / "val" / "time1" / "a.tif") as opened:
        power = np.moveaxis(opened.read(), 0, -1)
    bright = power > 0.05
    found = sources[1][0].before
    np.testing.assert_allclose(found[bright], 10 * np.log10(power[bright]), atol=1e-4)
    assert np.isfinite(found).all() and found.dtype == np.float32


@pytest.mark.slow
def test_pairs_are_read_with_all_their_bands(tmp_path: Path) -> None:
    place = tmp_path / "train" / "one"
    place.mkdir(parents=True)
    rng = np.random.default_rng(3)
    dates = [rng.normal(300, 9, (40, 40, 2)).astype(np.float32) for _ in range(2)]
    for name, date in zip(("before", "after"), dates, strict=True):
        make_raster(place / f"{name}.tif", date)
    make_raster(place / "labels.tif", np.eye(40, dtype=np.uint8))
    source = open_split(tmp_path, "train", pixels="raw")
    np.testing.assert_array_equal(source[0].before[:40, :40], dates[0])
    assert band_statistics(source).names == ("band 1", "band 2")


def test_bands_are_the_same_at_both_dates(folder: Path) -> None:
    with pytest.raises(OptionError, match="the same bands at both dates"):
        open_split(folder, "train", bands="1,2:3,4", pixels="raw")
    with pytest.raises(OptionError, match="chips need three bands"):
        open_split(folder, "train", bands="1,2")
