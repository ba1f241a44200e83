"""Reviewed polygons as labels: accepted 1, rejected 0, unset 255, all other ground 0."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import pytest
from makers import LONLAT, make_raster
from polygon_files import grid_of, make_polygons, square

from geochange.dataset.reviewed_labels import ReviewedLabels, open_reviewed
from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.vector.files.writers import RUN_TABLE

SHAPE = (20, 40)
GRID = grid_of(SHAPE)
WHOLE = Window(0, 0, *SHAPE)
SQUARES = [square(3, 2 + 10 * number, 5) for number in range(4)]
PLACES = [np.s_[3:8, 2 + 10 * number : 7 + 10 * number] for number in range(4)]


def make(path: Path, statuses: Sequence[Any], **options: Any) -> Path:
    shapes = options.pop("shapes", SQUARES[: len(statuses)])
    return make_polygons(path, shapes, columns={"status": list(statuses)}, **options)


def read(labels: ReviewedLabels, window: Window = WHOLE) -> np.ndarray:
    with labels.reader() as reader:
        return reader(window)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".shp"])
def test_a_polygon_is_what_was_said_of_it(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"changes{suffix}", ["accept", "reject", "unset", None], crs=LONLAT)
    label = read(open_reviewed(path, GRID))
    expected = np.zeros(SHAPE, np.uint8)
    for place, value in zip(PLACES, (1, 0, 255, 255), strict=True):
        expected[place] = value
    assert np.array_equal(label, expected)
    assert label.dtype == np.uint8


def test_of_polygons_that_overlap_what_was_accepted_counts_then_what_was_rejected(
    tmp_path: Path,
) -> None:
    shapes = [square(2, 2, 10), square(2, 6, 10), square(2, 10, 10)]
    path = make(tmp_path / "changes.gpkg", ["accept", "reject", ""], shapes=shapes)
    row = read(open_reviewed(path, GRID))[5]
    assert row[2:22].tolist() == [1] * 10 + [0] * 4 + [255] * 4 + [0] * 2


def test_windows_show_what_the_whole_shows_and_overhang_as_unknown(tmp_path: Path) -> None:
    labels = open_reviewed(make(tmp_path / "changes.gpkg", ["accept", "unset", "reject"]), GRID)
    around = np.full((SHAPE[0] + 8, SHAPE[1] + 8), 255, np.uint8)
    around[4:-4, 4:-4] = read(labels)
    for row in range(-4, 17, 7):
        for col in range(-4, 37, 8):
            window = Window(row, col, 7, 8)
            shown = around[row + 4 : row + 11, col + 4 : col + 12]
            assert np.array_equal(read(labels, window), shown)


def test_what_a_window_holds(tmp_path: Path) -> None:
    labels = open_reviewed(make(tmp_path / "changes.gpkg", ["accept", "reject"]), GRID)
    left, right = Window(0, 0, 20, 10), Window(0, 10, 20, 10)
    assert labels.holds("accept", left) and not labels.holds("accept", right)
    assert labels.holds("reject", right) and not labels.holds("reject", left)
    assert (labels.count("accept"), labels.count("unset")) == (1, 0)
    again = pickle.loads(pickle.dumps(labels))
    assert np.array_equal(read(again), read(labels))


def test_a_file_that_was_saved_again_is_read_again(tmp_path: Path) -> None:
    import os

    path = make(tmp_path / "changes.gpkg", ["accept", "unset"])
    first = read(open_reviewed(path, GRID))
    path.unlink()
    make(path, ["accept", "reject"])
    os.utime(path, ns=(1, 1))
    assert (first[PLACES[1]] == 255).all()
    assert (read(open_reviewed(path, GRID))[PLACES[1]] == 0).all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ('{"only": "building", "min_area": 9}', "kept --only building, so what else changed"),
        ('{"only": null}', ""),
        ("damaged", ""),
    ],
)
def test_a_run_that_left_changes_out_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: str, told: str
) -> None:
    path = make(tmp_path / "changes.gpkg", ["accept", "reject"])
    record = pd.DataFrame({"key": ["options"], "value": [options]})
    pyogrio.write_dataframe(record, path, layer=RUN_TABLE)
    open_reviewed(path, GRID)
    if told:
        (line,) = caplog.messages
        assert told in line and "becomes label 0" in line
        assert "with --only building, too" in line
    else:
        assert not caplog.messages


@pytest.mark.slow
def test_refusals(tmp_path: Path) -> None:
    refused = {
        make(tmp_path / "odd.gpkg", ["accept", "maybe"]): "'maybe'; it may be unset, reject, acc",
        make(tmp_path / "numbers.gpkg", [1.0, 2.0]): "'1.0'; it may be",
        make(tmp_path / "none.gpkg", ["unset", None]): "none of its 2 polygons is reviewed; set st",
        make(
            tmp_path / "no.gpkg", ["reject", "unset"]
        ): "no accepted polygon has the status accept",
        make(tmp_path / "far.gpkg", ["accept"], shapes=[square(900, 900, 5)]): "lies on the pair",
        make_polygons(tmp_path / "drawn.gpkg", SQUARES): "has no attribute 'status'",
        make_raster(tmp_path / "labels.tif", np.zeros(SHAPE, np.uint8)): "not a file of polygons",
        tmp_path / "nowhere.gpkg": "no such file",
    }
    for path, said in refused.items():
        with pytest.raises(InputError) as error:
            open_reviewed(path, GRID)
        assert said in str(error.value) and str(path) in str(error.value)
        assert "\n" not in str(error.value)
