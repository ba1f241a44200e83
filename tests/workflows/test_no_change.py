"""Labels without change cause a warning wherever they are read, because scores would be empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chip_folders import make_chips
from makers import make_raster, noise
from PIL import Image
from pipeline_runs import pipeline
from polygon_files import make_polygons, square

import geochange
from geochange.cli.main import _exit_code
from geochange.config import TrainOptions
from geochange.dataset import open_split
from geochange.errors import InputError
from geochange.trainer.preparation import prepare
from geochange.workflows.compare import compare

pytestmark = pytest.mark.slow

SHAPE = (96, 128)
NOTHING = np.zeros(SHAPE, np.uint8)
MARK = NOTHING.copy()
MARK[4:10, 4:10] = 1


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    for number, name in enumerate(("before.tif", "after.tif")):
        make_raster(tmp_path / name, noise((*SHAPE, 3), number))
    return tmp_path


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    """Chips without change, like an expanded palette label that is read as one band."""
    root = make_chips(tmp_path / "chips", {"train": 2, "val": 2, "test": 2}, size=32)
    for label in root.glob("*/label/*.png"):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(label)
    return root


EMPTY: dict[str, Callable[[Path], Path]] = {
    "a raster of zeros": lambda path: make_raster(path.with_suffix(".tif"), NOTHING),
    "three bands of zeros": lambda path: make_raster(
        path.with_suffix(".tif"), np.dstack([NOTHING] * 3)
    ),
    "change that lies elsewhere": lambda path: make_raster(
        path.with_suffix(".tif"), np.vstack([NOTHING, MARK])
    ),
    "unknown alone": lambda path: make_raster(path.with_suffix(".tif"), NOTHING + 7, nodata=7),
    "a speck": lambda path: make_polygons(path.with_suffix(".gpkg"), [square(5.1, 5.1, 0.2)]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_labels_of_a_pair_that_hold_no_change_are_said(
    pair: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    labels = EMPTY[name](pair / "labels")
    words = ["data", "chips", *(str(pair / f"{date}.tif") for date in ("before", "after"))]
    words += [str(labels), "--out", str(pair / "out"), "--size", "32", "--block", "1", "--quiet"]
    code = _exit_code(words)
    assert f"{labels}: holds no change on the pair" in caplog.text
    # Chips with only unknown pixels are impossible; the others are chips without change.
    assert code == (2 if name == "unknown alone" else 0)


def test_the_same_of_a_pair_in_a_data_set(pair: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = pair / "set" / "val" / "town"
    place.mkdir(parents=True)
    for name in ("before.tif", "after.tif"):
        (pair / name).rename(place / name)
    make_raster(place / "labels.tif", NOTHING)
    open_split(pair / "set", "val")
    assert f"{place / 'labels.tif'}: holds no change on the pair" in caplog.text


def test_change_that_no_chip_holds_is_said(pair: Path, caplog: pytest.LogCaptureFixture) -> None:
    pixels = noise((*SHAPE, 3), 1)
    pixels[:32, :32] = 0
    make_raster(pair / "after.tif", pixels, nodata=0)
    labels = make_polygons(pair / "drawn.gpkg", [square(4, 4, 6)])
    chips = geochange.cut(
        pair / "before.tif", pair / "after.tif", labels, pair / "out", size=32, block=1
    )
    assert not any(split.changed_px for split in chips.splits.values())
    assert f"{pair / 'out'}: holds no change: all chips with change were left out" in caplog.text


@pytest.mark.parametrize("words", [["data", "check"], ["evaluate", "cva"]])
def test_a_split_that_holds_no_change_is_said(
    chips: Path, caplog: pytest.LogCaptureFixture, words: list[str]
) -> None:
    assert _exit_code([*words, str(chips), "--quiet"]) == 0
    assert f"{chips}, test: holds no change: none of its 2 labels" in caplog.text


def test_training_says_it_and_refuses(chips: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = TrainOptions.parse(
        {
            "network": {"variant": "tiny", "start": None},
            "prompts": {"mode": "fixed"},
            "data": {"root": str(chips), "workers": 0},
        }
    )
    prepared = prepare(options, chips.parent / "training", resume=False)
    for split in ("train", "val"):
        assert f"{chips}, {split}: holds no change: none of its 2 labels" in caplog.text
    with pytest.raises(InputError, match="none of its 2 chips holds a pixel of change"):
        prepared.check_chips(lambda *_: None)


def test_a_reference_without_polygons_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = make_polygons(tmp_path / "a.gpkg", [square(5, 5, 10)])
    reference = make_polygons(tmp_path / "b.gpkg", [])
    compare(found, reference, pixel_m=10)
    assert caplog.messages == [
        f"{reference}: holds no change: there is no polygon in the reference"
    ]
    compare(reference, found, pixel_m=10)
    assert len(caplog.messages) == 1, "to find nothing is an answer"


def test_the_pipeline_that_tunes_says_it(pair: Path) -> None:
    labels = make_raster(pair / "labels.tif", NOTHING)
    given = [str(pair / "before.tif"), str(pair / "after.tif"), str(labels), "--from", "none.pt"]
    done = pipeline("finetune", *given, "--out", str(pair / "out"), "--size", "32", "--quiet")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"{labels}: holds no change on the pair" in done.stderr
