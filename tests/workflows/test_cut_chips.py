"""A labelled pair is cut into a data set: all or nothing, no overlap of splits, with chips.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from makers import LONLAT, make_raster, noise
from PIL import Image
from polygon_files import make_polygons, square

from geochange.cli.main import _exit_code
from geochange.dataset import open_split
from geochange.dataset.band_statistics import band_statistics
from geochange.errors import InputError, OptionError
from geochange.workflows.cut_chips import CutResult, cut

SHAPE = (128, 192)
CUT = {"size": 32, "block": 1, "val": 0.25}


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A folder with before.tif, after.tif and drawn.gpkg, a square of change in every chip of 32."""
    for number, name in enumerate(("before.tif", "after.tif")):
        make_raster(tmp_path / name, noise((*SHAPE, 3), number))
    make_polygons(tmp_path / "drawn.gpkg", squares(), LONLAT)
    return tmp_path


def squares() -> list:
    return [square(row + 5, col + 7, 9) for row in range(0, 128, 32) for col in range(0, 192, 32)]


def cut_here(folder: Path, out: str = "chips", **options: object) -> CutResult:
    files = (folder / name for name in ("before.tif", "after.tif", "drawn.gpkg"))
    return cut(*files, folder / out, **{**CUT, **options})  # type: ignore[arg-type]


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def chips_of(root: Path) -> list[tuple[Path, dict]]:
    told = json.loads((root / "chips.json").read_text())
    return [(root / chip["split"], chip) for chip in told["chips"]]


@pytest.mark.slow
def test_pixels_and_labels_are_those_of_the_pair(pair: Path) -> None:
    done = cut_here(pair)
    assert {split: tally.chips for split, tally in done.splits.items()} == {"train": 18, "val": 6}
    assert done.splits["val"].change_share == 81 / 32**2
    chips = chips_of(done.root)
    assert len(chips) == 24
    for folder, chip in chips:
        row, col, name = chip["row"], chip["col"], f"{chip['name']}.png"
        assert name == f"before_{row:03}_{col:03}.png"
        place = (slice(row, row + 32), slice(col, col + 32))
        for kind, seed in (("time1", 0), ("time2", 1)):
            assert np.array_equal(picture(folder / kind / name), noise((*SHAPE, 3), seed)[place])
        label = picture(folder / "label" / name)
        assert (label[5:14, 7:16] == 255).all() and (label == 255).sum() == 81
        assert set(np.unique(label)) == {0, 255}
    written = sorted(path.name for path in done.root.rglob("*.png"))
    assert written == sorted(f"{chip['name']}.png" for _, chip in chips for _ in range(3))
    assert sorted(path.name for path in pair.iterdir()) == [
        "after.tif", "before.tif", "chips", "drawn.gpkg",
    ]  # fmt: skip


@pytest.mark.slow
def test_chips_json_says_where_chips_come_from(pair: Path) -> None:
    done = cut_here(pair, name="town", seed=3)
    told = json.loads((done.root / "chips.json").read_text())
    assert told["before"] == str(pair / "before.tif") and told["labels"] == str(pair / "drawn.gpkg")
    assert told["options"]["seed"] == 3 and told["shape"] == list(SHAPE)
    assert told["label_values"] == {"0": "none", "255": "change"}
    assert told["crs"] == "EPSG:32632" and told["transform"][:2] == [10, 0]
    assert told["chips"][0]["name"] == "town_000_000"
    assert told["chips"][0]["known_px"] == 1024 and told["chips"][0]["changed_px"] == 81


@pytest.mark.slow
def test_the_same_seed_cuts_the_same(pair: Path) -> None:
    def where(out: str, seed: int) -> dict[str, str]:
        root = cut_here(pair, out, seed=seed).root
        return {chip["name"]: chip["split"] for _, chip in chips_of(root)}

    first = where("a", 0)
    assert first == where("b", 0)
    assert first != where("c", 1)


@pytest.mark.slow
def test_memory_is_that_of_a_window_and_chips_do_not_depend_on_it(
    pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cut_here(pair, "a", overlap=8, block=2)
    monkeypatch.setattr("geochange.workflows.cut_chips.READ_PX", 1)
    small = cut_here(pair, "b", overlap=8, block=2)
    names = [path.relative_to(whole.root) for path in whole.root.rglob("*.png")]
    assert len(names) > 30
    for name in names:
        assert (whole.root / name).read_bytes() == (small.root / name).read_bytes()


@pytest.mark.slow
def test_no_data_is_unknown_and_chips_of_little_data_are_left_out(pair: Path) -> None:
    pixels = noise((*SHAPE, 3), 1)
    pixels[:, :40] = 0  # the whole first column of chips, a quarter of the second
    make_raster(pair / "after.tif", pixels, nodata=0)
    done = cut_here(pair)
    assert done.left_out["too little data"] == 4
    assert done.label_values == {0: "none", 1: "change", 255: "unknown"}
    values = set()
    for folder, chip in chips_of(done.root):
        label = picture(folder / "label" / f"{chip['name']}.png")
        values |= set(np.unique(label))
        assert chip["known_px"] == (label != 255).sum()
        if chip["col"] == 32:
            assert (label[:, :8] == 255).all() and (label[:, 8:] != 255).all()
    assert values == {0, 1, 255}


@pytest.mark.slow
def test_labels_that_know_little(pair: Path) -> None:
    sparse = np.full(SHAPE, 255, np.uint8)
    sparse[:64] = 0
    sparse[5:14] = 1
    make_raster(pair / "labels.tif", sparse)
    done = cut(
        pair / "before.tif", pair / "after.tif", pair / "labels.tif", pair / "chips", **CUT, seed=6
    )
    assert done.left_out["no label"] == 12


@pytest.mark.slow
def test_empty_chips_are_thinned_in_training_alone(pair: Path) -> None:
    (pair / "drawn.gpkg").unlink()
    make_polygons(pair / "drawn.gpkg", squares()[:1])
    full = cut_here(pair, "a", empty=1.0)
    none = cut_here(pair, "b", empty=0.0)
    half = cut_here(pair, "c", empty=0.5)
    assert full.splits["val"] == none.splits["val"] == half.splits["val"]
    assert 0 < none.splits["train"].chips < 2
    assert (
        none.left_out["without change"] == full.splits["train"].chips - none.splits["train"].chips
    )
    assert 0.25 < half.left_out["without change"] / none.left_out["without change"] < 0.75


@pytest.mark.slow
def test_a_failure_leaves_nothing(pair: Path) -> None:
    (pair / "drawn.gpkg").unlink()
    make_polygons(pair / "drawn.gpkg", squares()[:1])
    pixels = noise((*SHAPE, 3), 1)
    pixels[64:] = 0
    make_raster(pair / "after.tif", pixels, nodata=0)
    with pytest.raises(InputError, match="no chip is left"):
        cut_here(pair, block=2, val=0.4, seed=1)
    assert not [path for path in pair.iterdir() if "chips" in path.name]


REFUSED = {
    "a root with something in it": ("--out .", "not empty"),
    "a root that is a file": ("--out before.tif", "is a file"),
    "no folder for it": ("--out nowhere/chips", "create it"),
    "shares of more than all": ("--val 0.6 --test 0.5", "must be less than 1"),
    "overlap too large": ("--size 64 --overlap 64", "at most 56"),
    "blocks too large": ("--block 9", "too few for train and val"),
    "two bands": ("--bands 1,2", "name three"),
    "band that is not there": ("--bands 1,2,9", "no band 9"),
    "stretch upside down": ("--stretch 9,1", "below HIGH"),
    "a name with a slash": ("--name a/b", "letters, digits"),
    "a size that is no number": ("--size big", "--size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(
    case: str, pair: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words, said = REFUSED[case]
    monkeypatch.chdir(pair)
    there = sorted(pair.rglob("*"))
    options = words if "--out" in words else f"--out chips {words}"
    arguments = f"data chips before.tif after.tif drawn.gpkg --size 32 {options}"
    assert _exit_code(arguments.split()) == 2
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1, captured.err
    assert said in captured.err
    assert sorted(pair.rglob("*")) == there, "something was left behind"


@pytest.mark.slow
def test_the_command_cuts_chips(
    pair: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(pair)
    (pair / "chips").mkdir()  # an empty folder is accepted
    words = "data chips before.tif after.tif drawn.gpkg --out chips --size 32 --block 1 --test 0.1"
    assert _exit_code(words.split()) == 0
    shown = capfd.readouterr().out
    assert "train" in shown and "17 chips, 7.91% change" in shown and "255 change" in shown
    assert _exit_code([*words.replace("--out chips", "--out more").split(), "--quiet"]) == 0
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert (pair / "more" / "test" / "label").is_dir()


@pytest.mark.slow
def test_blocks_fit_a_small_pair_unless_they_are_given(pair: Path) -> None:
    """4 x 6 chips: two blocks of side 4, or four of side 3, which allow two blocks per split."""
    given: dict[str, object] = {"block": None}
    done = cut_here(pair, **given)
    assert min(tally.chips for tally in done.splits.values()) > 0
    assert json.loads((done.root / "chips.json").read_text())["options"]["block"] == 2
    with pytest.raises(OptionError, match="--block 8: the pair has 1 block"):
        cut_here(pair, "more", block=8)


@pytest.mark.slow
def test_any_bands_are_kept_as_they_are_and_can_be_learnt_from(pair: Path) -> None:
    names = ("red", "green", "blue", "nir", "height")
    values = [(noise((*SHAPE, 5), seed) * 7.5 - 20).astype(np.float32) for seed in (5, 6)]
    for name, pixels in zip(("before.tif", "after.tif"), values, strict=True):
        with rasterio.open(make_raster(pair / name, pixels), "r+") as opened:
            opened.descriptions = names
    done = cut_here(pair, stretch="raw", bands="4,1,5,2")
    source = open_split(done.root, "train", pixels="raw")
    assert len(source) == done.splits["train"].chips == 18
    chosen = [3, 0, 4, 1]
    for number in (0, 17):
        row, col = (int(part) for part in source.name(number).split("_")[1:])
        place = np.s_[row : row + 32, col : col + 32]
        chip = source[number]
        np.testing.assert_array_equal(chip.before, values[0][place][..., chosen])
        np.testing.assert_array_equal(chip.after, values[1][place][..., chosen])
        assert chip.label is not None
        assert (chip.label == 1).sum() == 81
    assert band_statistics(source).names == ("nir", "red", "height", "green")


@pytest.mark.slow
def test_bands_without_names_are_not_cut_in_another_order(pair: Path) -> None:
    for name in ("before.tif", "after.tif"):
        make_raster(pair / name, noise((*SHAPE, 5), 1).astype(np.float32))
    with pytest.raises(OptionError, match=r"--bands 2,1: with --stretch raw.* has none; name them"):
        cut_here(pair, stretch="raw", bands="2,1")
    assert not (pair / "chips").exists()
