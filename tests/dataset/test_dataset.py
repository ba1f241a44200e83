"""Data sets on disk: detected, opened, decoded in the same way for every format, and checked."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from makers import make_raster, noise
from numpy.typing import NDArray
from PIL import Image

from geochange.dataset import (
    FileChips,
    check_split,
    find_root,
    open_split,
    records_of,
    splits_of,
    survey,
)
from geochange.dataset.chip_lists import write_lists
from geochange.dataset.chip_record import Record
from geochange.errors import InputError, OptionError

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

SHAPE = (16, 20)
NOTHING = np.zeros(SHAPE, np.uint8)
SQUARE = NOTHING.copy()
SQUARE[2:6, 3:9] = 1
HIDDEN = NOTHING.copy()
HIDDEN[10:, :] = 255
BLACK = np.zeros((*SHAPE, 3), np.uint8)


def put(root: Path, split: str, name: str, label: NDArray[Any], **pictures: Any) -> Record:
    """A chip of layout sysu; pictures are noise of the name's own unless given."""
    seed = sum(map(ord, split + name))
    given = {
        "time1": pictures.get("before", noise((*SHAPE, 3), seed)),
        "time2": pictures.get("after", noise((*SHAPE, 3), seed + 1)),
        "label": label,
    }
    paths = []
    for kind, pixels in given.items():
        eight_bit = pixels.dtype == np.uint8
        path = root / split / kind / f"{name}.{'png' if eight_bit else 'tif'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if eight_bit:
            Image.fromarray(pixels).save(path)
        else:
            make_raster(path, pixels, crs=None)
        paths.append(path)
    return Record(*paths)


def opened(root: Path, split: str = "train", **options: Any) -> FileChips:
    source = open_split(root, split, **options)
    assert isinstance(source, FileChips)
    return source


def labels(source: FileChips) -> list[NDArray[np.uint8]]:
    found = [source[number].label for number in range(len(source))]
    assert all(label is not None and label.dtype == np.uint8 for label in found)
    return found  # type: ignore[return-value]


def test_a_chip_is_what_was_saved(tmp_path: Path) -> None:
    before, after = noise((*SHAPE, 3), 1), noise((*SHAPE, 3), 2)
    put(tmp_path, "train", "b", SQUARE * 255)
    put(tmp_path, "train", "a", SQUARE * 255, before=before, after=after)
    source = opened(tmp_path)
    chip = source[0]
    np.testing.assert_array_equal(chip.before, before)
    np.testing.assert_array_equal(chip.after, after)
    np.testing.assert_array_equal(chip.label, SQUARE)
    assert chip.valid.all()
    assert [source.name(number) for number in range(len(source))] == ["a", "b"]
    assert source.pictures(1) == ("train/time1/b.png", "train/time2/b.png")


def test_a_source_travels(tmp_path: Path) -> None:
    put(tmp_path, "train", "a", SQUARE)
    source = opened(tmp_path)
    twin = pickle.loads(pickle.dumps(source))
    assert twin == source
    np.testing.assert_array_equal(twin[0].before, source[0].before)


@pytest.mark.parametrize("white", [1, 255])
def test_one_and_white_are_change(tmp_path: Path, white: int) -> None:
    put(tmp_path, "train", "a", NOTHING)
    put(tmp_path, "train", "b", SQUARE * np.uint8(white))
    source = opened(tmp_path)
    assert (source.code.change, source.code.values) == (white, (0, white))
    nothing, square = labels(source)
    np.testing.assert_array_equal(nothing, NOTHING)
    np.testing.assert_array_equal(square, SQUARE)


def test_white_is_unknown_where_it_never_stands_without_a_one(tmp_path: Path) -> None:
    put(tmp_path, "train", "a", HIDDEN | SQUARE)
    put(tmp_path, "train", "b", SQUARE)
    hidden, _ = labels(opened(tmp_path))
    np.testing.assert_array_equal(hidden, HIDDEN | SQUARE)


STRAY = SQUARE * np.uint8(255)
STRAY[0, 0] = 1


@pytest.mark.parametrize(
    ("first", "second", "splits"),
    [
        (STRAY, SQUARE * np.uint8(255), ("train", "train")),
        (STRAY, SQUARE * np.uint8(255), ("val", "train")),
        (SQUARE, SQUARE * np.uint8(255), ("train", "train")),
        (SQUARE, SQUARE * np.uint8(255), ("train", "val")),
    ],
    ids=["a stray pixel", "a stray pixel elsewhere", "both kinds", "a kind a split"],
)
def test_one_and_white_both_as_change_are_refused_with_a_file_of_each(
    tmp_path: Path, first: NDArray[Any], second: NDArray[Any], splits: tuple[str, str]
) -> None:
    put(tmp_path, splits[0], "a", first)
    put(tmp_path, splits[1], "b", second)
    told = rf"{splits[1]}/label/b\.png: holds 255 and no 1, but .*{splits[0]}/label/a\.png"
    first_split, *_ = splits
    if splits == ("train", "val"):
        open_split(tmp_path, first_split)
    with pytest.raises(InputError, match=told) as refused:
        open_split(tmp_path, splits[1])
    assert "\n" not in str(refused.value)


def test_an_account_of_the_set_says_what_white_means(tmp_path: Path) -> None:
    put(tmp_path, "train", "a", SQUARE)
    put(tmp_path, "val", "a", HIDDEN)
    account = tmp_path / "chips.json"
    account.write_text('{"label_values": {"0": "none", "1": "change", "255": "unknown"}}')
    source = opened(tmp_path, "val")
    assert (source.code.change, source.code.values) == (1, (0, 255))
    np.testing.assert_array_equal(labels(source)[0], HIDDEN)
    account.write_text('{"label_values": {"0": "none", "255": "change"}}')
    assert opened(tmp_path, "val").code.change == 255
    with pytest.raises(
        InputError, match=r"train/label/a\.png: holds a 1, but .* says that change is 255"
    ):
        open_split(tmp_path, "train")


@pytest.mark.parametrize(
    ("text", "told"), [("{", "cannot be read as JSON"), ('{"label_values": {}}', "name no change")]
)
def test_an_account_that_says_nothing_sensible_is_refused(
    tmp_path: Path, text: str, told: str
) -> None:
    put(tmp_path, "train", "a", SQUARE)
    (tmp_path / "chips.json").write_text(text)
    with pytest.raises(InputError, match=told):
        open_split(tmp_path, "train")


def test_a_split_in_which_nothing_changes_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "train", "a", NOTHING)
    with pytest.raises(InputError, match="val: none of its 1 chips holds a pixel of change"):
        check_split(open_split(tmp_path, "train"), "val")


def test_the_print_of_a_split_changes_with_any_pixel_or_name(tmp_path: Path) -> None:
    def told(place: str, name: str, label: NDArray[Any]) -> str:
        put(tmp_path / place, "train", name, label, before=noise((*SHAPE, 3), 1), after=BLACK)
        return check_split(open_split(tmp_path / place, "train"), "train")

    prints = [
        told("one", "a", SQUARE),
        told("two", "a", SQUARE),
        told("three", "b", SQUARE),
        told("four", "a", SQUARE[::-1]),
    ]
    assert prints[0] == prints[1] and len(set(prints)) == 3


def test_a_broken_split_keeps_nobody_from_another(tmp_path: Path) -> None:
    put(tmp_path, "train", "a", SQUARE).after.unlink()
    put(tmp_path, "val", "a", SQUARE * 255)
    np.testing.assert_array_equal(labels(opened(tmp_path, "val"))[0], SQUARE)
    with pytest.raises(InputError, match="has no counterpart"):
        open_split(tmp_path, "train")


def test_labels_of_nothing_are_nothing(tmp_path: Path) -> None:
    put(tmp_path, "train", "a", NOTHING)
    np.testing.assert_array_equal(labels(opened(tmp_path))[0], NOTHING)


def test_other_values_are_refused_by_name(tmp_path: Path) -> None:
    put(tmp_path, "train", "a", SQUARE)
    put(tmp_path, "train", "b", np.arange(320, dtype=np.uint8).reshape(SHAPE))
    with pytest.raises(InputError, match=r"label/b\.png: holds the label 2, 3, 4, 5 and 249 more"):
        open_split(tmp_path, "train")


def test_missing_data_is_unknown_and_no_change(tmp_path: Path) -> None:
    alpha = np.full(SHAPE, 255, np.uint8)
    alpha[4:, :] = 0
    before = np.dstack([noise((*SHAPE, 3), 1), alpha])
    put(tmp_path, "train", "a", SQUARE * 255, before=before)
    chip = opened(tmp_path)[0]
    np.testing.assert_array_equal(chip.valid, alpha > 0)
    np.testing.assert_array_equal(chip.label, np.where(alpha > 0, SQUARE, 255))
    np.testing.assert_array_equal(chip.before[4:], chip.after[4:])


def test_deeper_pictures_get_one_stretch_of_the_set_for_each_date(tmp_path: Path) -> None:
    deep = {
        name: noise((*SHAPE, 3), seed, np.uint16) * 40
        for seed, name in enumerate(("t1", "t2", "v1", "v2"))
    }
    deep["v1"] //= 2
    put(tmp_path, "train", "a", SQUARE, before=deep["t1"], after=deep["t2"])
    put(tmp_path, "val", "a", SQUARE, before=deep["v1"], after=deep["v2"])
    train, val = opened(tmp_path), opened(tmp_path, "val")
    assert train.radiometry == val.radiometry and train.radiometry.before is not None
    for found, name in ((train.radiometry.after, "t2"), (train.radiometry.before, "t1")):
        numbers = deep[name].reshape(-1, 3).astype(float)
        low, high = np.percentile(numbers, (0.5, 99.5), axis=0)
        np.testing.assert_allclose(found.low, low)
        np.testing.assert_allclose(found.high, high)
    chip = val[0]
    assert chip.before.dtype == chip.after.dtype == np.uint8
    expected = np.clip((deep["v1"] - low) * (255 / (high - low)), 0, 255)
    np.testing.assert_allclose(chip.before, expected, atol=0.51)


def test_bands_are_chosen_by_number(tmp_path: Path) -> None:
    many = noise((*SHAPE, 4), 3, np.uint16)
    put(tmp_path, "train", "a", SQUARE, before=many, after=many[..., ::-1])
    source = opened(tmp_path, bands="4,3,2")
    assert source == opened(tmp_path, bands=(4, 3, 2))
    assert source.radiometry.before is not None
    np.testing.assert_array_equal(
        source[0].before, source.radiometry.before.apply(many[..., [3, 2, 1]])
    )
    for wrong in ("4,3", "1,2,3:3,2,1", "red"):
        with pytest.raises(OptionError, match="--bands"):
            open_split(tmp_path, "train", bands=wrong)
    with pytest.raises(OptionError, match="no band 5"):
        open_split(tmp_path, "train", bands=(5, 4, 3))


BAD = {
    "small label": ({"label": SQUARE[:8]}, r"label/b\.png: is 8 x 20 px .* 16 x 20 px"),
    "small after": ({"after": noise((16, 10, 3))}, r"time2/b\.png: is 16 x 10 px"),
    "deeper": ({"after": noise((*SHAPE, 3), dtype=np.uint16)}, r"time2/b\.tif: is uint16 .* uint8"),
    "two bands": ({"before": noise((*SHAPE, 2))}, r"time1/b\.png: has 2 bands"),
}


@pytest.mark.parametrize(("parts", "told"), BAD.values(), ids=BAD.keys())
def test_a_check_names_the_file(tmp_path: Path, parts: dict[str, Any], told: str) -> None:
    put(tmp_path, "train", "a", SQUARE)
    before = parts.get("before", noise((*SHAPE, 3)))
    if before.shape[-1] == 2:
        before = np.dstack([before[..., 0], np.full(SHAPE, 255, np.uint8)])
        put(tmp_path, "train", "b", SQUARE)
        make_raster(tmp_path / "train/time1/b.tif", noise((*SHAPE, 2)), crs=None)
        (tmp_path / "train/time1/b.png").unlink()
        told = told.replace("png", "tif")
    else:
        put(tmp_path, "train", "b", parts.pop("label", SQUARE), **parts)
    source = open_split(tmp_path, "train")
    with pytest.raises(InputError, match=told):
        check_split(source, "train")


def test_a_check_opens_every_chip(tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path, "train", f"{number}", SQUARE)
    source, told = open_split(tmp_path, "train"), []
    check_split(source, "train", lambda *step: told.append(step))
    assert told == [("check", done, 5) for done in range(1, 6)]
    last = tmp_path / "train/time2/4.png"
    last.write_bytes(last.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"time2/4\.png: damaged"):
        check_split(source, "train")


def test_lists_are_opened(tmp_path: Path) -> None:
    first = put(tmp_path, "a", "x", SQUARE)
    second = put(tmp_path, "b", "x", SQUARE)
    write_lists({tmp_path / "train.txt": [second, first]}, tmp_path)
    source = opened(tmp_path)
    assert splits_of(tmp_path) == ("train",)
    assert source.records == (second, first)
    assert source.pictures(0) == ("b/time1/x.png", "b/time2/x.png")
    assert [source.name(0), source.name(1)] == ["1_x", "2_x"], "no two alike"


def test_folders_come_before_lists_unless_asked(tmp_path: Path) -> None:
    first = put(tmp_path, "train", "a", SQUARE)
    put(tmp_path, "train", "b", SQUARE)
    write_lists({tmp_path / "train.txt": [first]}, tmp_path)
    assert len(open_split(tmp_path, "train")) == 2
    assert len(open_split(tmp_path, "train", layout="list")) == 1
    write_lists({tmp_path / "mine.txt": [first]}, tmp_path)
    assert records_of(tmp_path, "mine") == (first,)


def test_a_list_names_what_is_not_there(tmp_path: Path) -> None:
    chip = put(tmp_path, "x", "a", SQUARE)
    write_lists({tmp_path / "train.txt": [chip]}, tmp_path)
    chip.label.unlink()
    with pytest.raises(InputError, match=r"label/a\.png: no such file"):
        open_split(tmp_path, "train")


def test_what_looks_like_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither train/"):
        splits_of(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="holds no folders, and so no known layout; make A/, B/"):
        open_split(tmp_path, "train")
    (tmp_path / "val").mkdir()
    with pytest.raises(InputError, match=r"has neither test/ nor test\.txt, but train, val"):
        open_split(tmp_path, "test")
    with pytest.raises(OptionError, match="layout sysv is not known; choose auto, sysu"):
        open_split(tmp_path, "train", layout="sysv")
    with pytest.raises(InputError, match="no such folder"):
        open_split(tmp_path / "nowhere", "train")


def test_the_root_is_given_or_under_cdpath(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b" / "SYSU").mkdir(parents=True)
    monkeypatch.delenv("CDPATH", raising=False)
    assert find_root(str(tmp_path), "SYSU") == tmp_path
    with pytest.raises(OptionError, match=r"--data, by data\.root in the YAML, or CDPATH"):
        find_root(None, "SYSU")
    monkeypatch.setenv("CDPATH", f".:{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert find_root(None, "SYSU") == tmp_path / "b" / "SYSU"
    monkeypatch.setenv("CDPATH", str(tmp_path))
    with pytest.raises(InputError, match=r"SYSU: no such folder; .*--data"):
        find_root(None, "SYSU")
    with pytest.raises(OptionError, match="no data set is named"):
        find_root(None, None)
    with pytest.raises(InputError, match="no such folder"):
        find_root(str(tmp_path / "nowhere"), None)


def test_a_survey_counts(tmp_path: Path) -> None:
    put(tmp_path, "train", "a", SQUARE)
    put(tmp_path, "train", "b", HIDDEN)
    put(tmp_path, "val", "c", NOTHING)
    (tmp_path / "chips.json").write_text('{"label_values": {"1": "change", "255": "unknown"}}')
    found = survey(tmp_path)
    train, val = found.splits["train"], found.splits["val"]
    assert (train.chips, train.sizes, train.dtypes) == (2, {"16 x 20": 2}, ("uint8",))
    assert (train.label_values, train.change, train.without_change) == ((0, 1, 255), 1, 1)
    assert (train.known_px, train.unknown_px) == (2 * 320 - 120, 120)
    assert train.change_share == 24 / 520
    assert (val.label_values, val.change_share) == ((0,), 0.0)
    assert found.leaks == ()
    assert json.loads(json.dumps(found.to_json()))["splits"]["train"]["change_share"] == 24 / 520


def test_a_survey_finds_the_same_pixels_at_either_date(tmp_path: Path) -> None:
    shared, black = noise((*SHAPE, 3), 99), np.zeros((*SHAPE, 3), np.uint8)
    put(tmp_path, "train", "a", SQUARE, after=shared)
    put(tmp_path, "train", "b", SQUARE, before=black)
    put(tmp_path, "val", "c", SQUARE, before=shared)
    put(tmp_path, "test", "d", SQUARE, before=black)
    (leak,) = survey(tmp_path).leaks
    assert (leak.what, leak.splits, leak.chips) == ("same pixels", ("train", "val"), (("a", "c"),))


def test_a_survey_finds_files_listed_twice(tmp_path: Path) -> None:
    first, second = (put(tmp_path, "x", name, SQUARE) for name in "ab")
    write_lists({tmp_path / "train.txt": [first, second, first]}, tmp_path)
    (leak,) = survey(tmp_path).leaks
    assert (leak.what, leak.splits, leak.chips) == (
        "same file",
        ("train", "train"),
        (("1_a", "3_a"),),
    )
