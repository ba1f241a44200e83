"""A reviewed pair is split so that every split has what it needs; chips.json records it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from makers import make_raster, noise
from PIL import Image
from polygon_files import make_polygons, square

from geochange.cli.main import _exit_code
from geochange.errors import InputError
from geochange.workflows.cut_chips import CutResult, cut

pytestmark = pytest.mark.slow

SIDE = 256


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    for number, name in enumerate(("before.tif", "after.tif")):
        make_raster(tmp_path / name, noise((SIDE, SIDE, 3), number))
    return tmp_path


def review(folder: Path, polygons: dict[tuple[int, int], str]) -> Path:
    shapes = [square(row, col, 9) for row, col in polygons]
    path = folder / "changes.gpkg"
    path.unlink(missing_ok=True)
    return make_polygons(path, shapes, columns={"status": list(polygons.values())})


def cut_here(folder: Path, out: str = "chips", **options: object) -> CutResult:
    files = (folder / name for name in ("before.tif", "after.tif", "changes.gpkg"))
    given = {"size": 32, "reviewed": True, **options}
    return cut(*files, folder / out, **given)  # type: ignore[arg-type]


def labels(root: Path, split: str) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(root.glob(f"{split}/label/*.png"))]


def test_accepted_rejected_and_unset_polygons_become_1_0_and_255(pair: Path) -> None:
    review(pair, {(5, 5): "accept", (5, 200): "reject", (200, 5): "unset", (200, 200): "accept"})
    done = cut_here(pair)
    assert done.label_values == {0: "none", 1: "change", 255: "unknown"}
    told = json.loads((done.root / "chips.json").read_text())
    assert told["label_values"] == {"0": "none", "1": "change", "255": "unknown"}
    assert told["options"]["reviewed"] is True
    at = {(chip["row"], chip["col"]): chip for chip in told["chips"]}
    for place, value in {(0, 0): 1, (0, 192): 0, (192, 0): 255, (192, 192): 1}.items():
        chip = at[place]
        label = np.asarray(Image.open(done.root / chip["split"] / "label" / f"{chip['name']}.png"))
        row, col = {0: 5, 192: 8}[place[0]], {0: 5, 192: 8}[place[1]]
        assert (label[row : row + 9, col : col + 9] == value).all()
        assert (label == value).sum() == (81 if value else 32**2)


def test_where_nothing_is_unset_255_is_change_and_said_so(pair: Path) -> None:
    review(pair, {(5, 5): "accept", (5, 200): "reject", (200, 200): "accept"})
    done = cut_here(pair)
    assert done.label_values == {0: "none", 255: "change"}
    assert {value for one in labels(done.root, "train") for value in np.unique(one)} == {0, 255}


def test_chips_of_rejected_polygons_stay_where_empty_ones_do_not(pair: Path) -> None:
    review(pair, {(5, 5): "accept", (5, 200): "reject", (200, 5): "reject", (200, 200): "accept"})
    done = cut_here(pair, empty=0.0)
    kept = json.loads((done.root / "chips.json").read_text())["chips"]
    train = {(chip["row"], chip["col"]) for chip in kept if chip["split"] == "train"}
    assert len(train & {(0, 192), (192, 0)}) > 0
    assert train <= {(0, 0), (0, 192), (192, 0), (192, 192)}


@pytest.mark.parametrize("seed", range(6))
def test_every_split_has_change_and_training_has_a_false_alarm(pair: Path, seed: int) -> None:
    """One polygon in each corner: most assignments leave a split without one."""
    review(pair, {(5, 5): "accept", (5, 240): "reject", (240, 240): "accept"})
    done = cut_here(pair, f"chips{seed}", seed=seed, val=0.25)
    assert all(tally.changed_px == 81 for tally in done.splits.values())
    kept = json.loads((done.root / "chips.json").read_text())
    (alarm,) = (chip for chip in kept["chips"] if (chip["row"], chip["col"]) == (0, 224))
    assert alarm["split"] == "train"
    assert kept["options"]["seed"] >= seed


def test_what_cannot_be_shared_out_is_refused_and_leaves_nothing(pair: Path) -> None:
    review(pair, {(5, 5): "accept", (5, 200): "reject"})
    with pytest.raises(
        InputError, match="too few or too close together for train and val"
    ) as error:
        cut_here(pair)
    assert str(error.value).endswith("; accept others farther away")
    assert not (pair / "chips").exists()
    assert cut_here(pair, val=0.0).splits["train"].changed_px == 81


def test_a_size_that_works_is_named(pair: Path) -> None:
    review(pair, {(5, 5): "accept", (5, 110): "accept", (200, 5): "reject"})
    with pytest.raises(InputError, match="choose --size 64, which works here, or accept others"):
        cut_here(pair, size=128, val=0.5, block=1)
    assert all(
        each.changed_px for each in cut_here(pair, size=64, val=0.5, block=1).splits.values()
    )


def test_a_review_that_is_not_asked_for_is_noticed(
    pair: Path, caplog: pytest.LogCaptureFixture
) -> None:
    review(pair, {(5, 5): "accept", (5, 200): "reject", (200, 200): "accept"})
    with caplog.at_level(logging.WARNING):
        cut_here(pair, reviewed=False)
    assert (
        "holds reviews, but all its polygons count as change; use them with --reviewed"
        in caplog.text
    )


def test_the_command_cuts_a_reviewed_pair(
    pair: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(pair)
    review(pair, {(5, 5): "unset"})
    words = ["data", "chips", "before.tif", "after.tif", "changes.gpkg", "--reviewed"]
    words += ["--out", "chips", "--size", "32"]
    assert _exit_code(words) == 2
    said = capfd.readouterr().err
    assert "none of its 1 polygons is reviewed" in said and said.count("\n") == 1
    review(pair, {(5, 5): "accept", (5, 200): "reject", (200, 5): "", (200, 200): "accept"})
    assert _exit_code(words) == 0
    assert "0 none, 1 change, 255 unknown" in capfd.readouterr().out
