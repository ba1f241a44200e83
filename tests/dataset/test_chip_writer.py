"""Chips as PNG: pixels are kept, files are plain, and labels show change or unknown pixels."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from makers import make_chip, noise
from PIL import Image

from geochange.dataset.chip_writer import ChipRecord, ChipWriter, SplitTotals
from geochange.errors import OutputError
from geochange.grid.tiling import Window
from geochange.raster.pictures.png import read_png, write_png

SPLITS = ("train", "val")


def filled(folder: Path, *labels: np.ndarray) -> ChipWriter:
    chips = ChipWriter(folder, "town", 4)
    chip = make_chip(noise((6, 8, 3), 1), noise((6, 8, 3), 2))
    for number, label in enumerate(labels):
        chips.add(chip, label, SPLITS[number % 2], Window(6 * number, 0, 6, 8))
    return chips


def label(*values: int) -> np.ndarray:
    drawn = np.zeros((6, 8), np.uint8)
    drawn.flat[: len(values)] = values
    return drawn


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_pictures_are_kept_and_plain(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="error"):
        filled(tmp_path, label(1))
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*")) == [
        f"train/{kind}/town_0000_0000.png" for kind in ("label", "time1", "time2")
    ]
    for kind, seed in (("time1", 1), ("time2", 2)):
        shown = picture(tmp_path / "train" / kind / "town_0000_0000.png")
        assert np.array_equal(shown, noise((6, 8, 3), seed))


def test_labels_without_unknown_become_white(tmp_path: Path) -> None:
    chips = filled(tmp_path, label(1, 0, 1), label())
    assert chips.mark_change_white() == {0: "none", 255: "change"}
    for split, name, expected in (("train", 0, label(255, 0, 255)), ("val", 6, label())):
        path = tmp_path / split / "label" / f"town_{name:04}_0000.png"
        assert np.array_equal(picture(path), expected) and picture(path).ndim == 2


def test_one_unknown_pixel_keeps_all_labels_as_numbers(tmp_path: Path) -> None:
    chips = filled(tmp_path, label(1, 0, 1), label(255))
    assert chips.mark_change_white() == {0: "none", 1: "change", 255: "unknown"}
    path = tmp_path / "train" / "label" / "town_0000_0000.png"
    assert np.array_equal(picture(path), label(1, 0, 1))


def test_every_chip_is_accounted_for(tmp_path: Path) -> None:
    chips = filled(tmp_path, label(1, 255, 1), label(255), label(1))
    assert chips.records[0] == ChipRecord("town_0000_0000", "train", 0, 0, 47, 2)
    assert chips.totals_by_split((*SPLITS, "test")) == {
        "train": SplitTotals(2, 95, 3),
        "val": SplitTotals(1, 47, 0),
        "test": SplitTotals(0, 0, 0),
    }
    assert SplitTotals(2, 100, 3).change_share == 0.03 and SplitTotals(0, 0, 0).change_share == 0
    assert [chip["row"] for chip in chips.to_json()] == [0, 6, 12]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*x\.png"):
        write_png(tmp_path / "nowhere" / "x.png", label())
    write_png(tmp_path / "x.png", label(1, 2))
    assert np.array_equal(read_png(tmp_path / "x.png"), label(1, 2))
