"""What does not fit a layout is refused in a line with the file and the cure, or said to be missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layout_sets import MASK, SETS, coco_of, save, write_json

from geochange.dataset import open_split, splits_of, survey
from geochange.dataset.layouts import LAYOUTS
from geochange.dataset.layouts.find_split import layout_of
from geochange.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def remove(pattern: str) -> Callable[[Path], None]:
    """Removes the files of a pattern."""

    def change(root: Path) -> None:
        found = list(root.glob(pattern))
        assert found
        for path in found:
            path.unlink()

    return change


def put(name: str, pixels: Any) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        save(root / name, np.asarray(pixels, np.uint8))

    return change


def edit(pattern: str, **changes: Any) -> Callable[[Path], None]:
    """Changes members of JSON files."""

    def change(root: Path) -> None:
        for path in list(root.glob(pattern)):
            write_json(path, {**json.loads(path.read_text()), **changes})

    return change


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / name).write_text(text)

    return change


PIXEL = [[[0, 0, 0]]]
REFUSED: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "second: a label": ("second", remove("train/label2/*"), "has no counterpart in .*label2"),
    "xbd: before": (
        "xbd",
        remove("train/images/*_pre_*"),
        r"_pre_disaster\.png: is missing beside",
    ),
    "xbd: after": (
        "xbd",
        remove("train/images/*_post_*"),
        r"_post_disaster\.png: is missing beside",
    ),
    "xbd: damage": (
        "xbd",
        remove("train/labels/*_post_*"),
        r"_post_disaster\.json: is missing beside",
    ),
    "oscd: a band": ("oscd", remove("*Images/paris/imgs_2_rect/B8A.tif"), r"lacks B8A\.tif"),
    "oscd: a mask": ("oscd", remove("*/paris/cm/*"), r"holds neither cm\.png nor CITY-cm\.tif"),
    "oscd: another size": (
        "oscd",
        put("Onera Satellite Change Detection dataset - Images/paris/imgs_1_rect/B03.tif", [[1]]),
        r"B03\.tif: is 1 x 1 px uint8 and B04\.tif 16 x 16 px uint8",
    ),
    "oscd: another value": (
        "oscd",
        put("Onera Satellite Change Detection dataset - Train Labels/paris/cm/cm.png", MASK * 9),
        r"cm\.png: holds the value 9; the values are 0, 255, 1",
    ),
    "hrscd: a place": ("hrscd", remove("labels_change/*/*/*0415*"), r"train\.txt: names no place"),
    "hrscd: twice": (
        "hrscd",
        put("images_2006/14-2005-0415-6890-LA93.tif", PIXEL),
        "is of the same place as",
    ),
    "months": (
        "dynamicearthnet",
        remove("labels/*/*/*/*/*2019_01_01.tif"),
        "has no two neighbouring months",
    ),
    "a list": ("dynamicearthnet", write("split_info/train.txt", "elsewhere"), "names no place"),
    "coco: two files": (
        "coco",
        lambda root: (write_json(root / "train/more.json", coco_of(["a.png"])), None)[1],
        "leave one COCO file",
    ),
    "coco: other pictures": (
        "coco",
        edit("train/labels.json", **coco_of(["b.png"])),
        "lists no picture of",
    ),
    "roboflow: after": ("roboflow", remove("train/*_after_*"), "town has no picture after"),
    "roboflow: versions": (
        "roboflow",
        put("train/town_before_png.rf.ffff.png", PIXEL),
        "two versions of one picture",
    ),
    "roboflow: classes": (
        "roboflow",
        write("valid/_classes.csv", "a, b\nc"),
        "no lines NUMBER, CLASS",
    ),
    "roboflow: both": ("roboflow", write("train/_classes.csv", "a"), "keep one of the two"),
    "yolo: a box": (
        "yolo",
        write("train/labels/town_after.txt", "0 0.5 0.5 0.1 0.1"),
        "line 1: holds a box; export polygons",
    ),
    "yolo: pixels": (
        "yolo",
        write("train/labels/town_after.txt", "\n0 5 5 6 5 6 6"),
        "line 2: is no class and corners from 0 to 1",
    ),
    "yolo: no labels": ("yolo", remove("train/labels/*"), "no pair has a label"),
    "stac: one date": (
        "stac",
        edit("item0/item.json", links=[{"rel": "source", "href": "a.json"}]),
        "links 1 sources, not the items of two dates",
    ),
    "stac: out of the set": (
        "stac",
        edit("item0/item.json", links=[{"rel": "source", "href": "../../../etc/passwd"}] * 2),
        "which is no file in",
    ),
    "stac: no dates": ("stac", edit("item0/[ab].json", properties={}), "has no datetime"),
    "stac: the same date": (
        "stac",
        edit("item0/[ab].json", properties={"datetime": "2020-01-01T00:00:00Z"}),
        "both sources are of 2020-01-01",
    ),
    "stac: no labels": ("stac", edit("item0/item.json", assets={}), "has no asset called labels"),
    "stac: no file": (
        "stac",
        edit("item0/item.json", assets={"labels": {"href": "https://example.org/a.geojson"}}),
        "which is no file in",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "change", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_set_that_is_damaged_is_refused(
    tmp_path: Path, name: str, change: Callable[[Path], None], told: str
) -> None:
    SETS[name](tmp_path)
    change(tmp_path)
    split = "val" if "valid/" in told or told.startswith("no lines") else "train"
    with pytest.raises(InputError, match=told) as refused:
        open_split(tmp_path, split, layout=name)[0]
    assert "\n" not in str(refused.value)


def test_a_model_is_no_label(tmp_path: Path) -> None:
    item = {"stac_version": "1.0.0", "properties": {"mlm:name": "net"}}
    write_json(tmp_path / "item.json", item)
    with pytest.raises(InputError, match=r"item\.json: describes a model \(MLM\) and no labels"):
        LAYOUTS["stac"].find(tmp_path, "train")


@pytest.mark.parametrize("name", ["hrscd", "dynamicearthnet", "oscd"])
def test_places_without_lists_are_one_split_and_train_asks_for_lists(
    tmp_path: Path, name: str
) -> None:
    SETS[name](tmp_path)
    for path in tmp_path.rglob("*.txt"):
        path.unlink()
    if name == "oscd":
        assert splits_of(tmp_path) == ("train", "test"), "folders of masks say it"
        return
    assert splits_of(tmp_path) == ("all",)
    assert layout_of(tmp_path, "all") == name
    assert len(open_split(tmp_path, "all")) == {"hrscd": 4, "dynamicearthnet": 2}[name]
    with pytest.raises(InputError, match=r"does not say which places are train; write train\.txt"):
        open_split(tmp_path, "train")


def test_what_misses_is_said(tmp_path: Path) -> None:
    SETS["dynamicearthnet"](tmp_path)
    for path in list(tmp_path.glob("labels/1311*/**/*-2018_12_01.tif")):
        for month in ("2019_02", "2019_03"):
            save(path.with_name(path.name.replace("2018_12", month)), MASK + np.uint8(1))
    found = survey(tmp_path)
    assert found.splits["train"].chips == 2
    assert found.splits["train"].missing == ("pictures of 1311_3077_13_2019-03",)
    assert found.splits["train"].bands == (3, 2, 1)
    assert found.missing == ("test",)


def test_pairs_that_a_coco_file_does_not_list_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    SETS["coco"](tmp_path)
    for date in "AB":
        save(tmp_path / "train" / date / "b.png", np.full((16, 16, 3), 7, np.uint8))
    assert len(open_split(tmp_path, "train")) == 1
    assert survey(tmp_path).splits["train"].missing == ("labels of b",)
    assert "misses labels of b; those are left out" in caplog.text


def test_json_that_is_no_coco_is_nothing_to_a_layout_of_masks(tmp_path: Path) -> None:
    SETS["levir"](tmp_path)
    write_json(tmp_path / "train" / "A_clipcls_56_vit16.json", [{"img_path": "a.png"}])
    assert layout_of(tmp_path, "train") == "levir"
    write_json(tmp_path / "train" / "objects.json", coco_of(["a.png"]))
    with pytest.raises(
        InputError, match=r"\(levir\) and .*\(coco\); say which it is: --layout=levir"
    ):
        layout_of(tmp_path, "train")


def test_the_splits_that_are_there_are_named(tmp_path: Path) -> None:
    SETS["xbd"](tmp_path)
    with pytest.raises(InputError, match=r"has neither val/ nor val\.txt, but train, hold; check"):
        open_split(tmp_path, "val")


def test_folders_of_other_names_are_named_with_the_shortest_cure(tmp_path: Path) -> None:
    for name in ("old", "new", "mask"):
        save(tmp_path / "train" / name / "1.png", MASK)
    with pytest.raises(InputError) as error:
        layout_of(tmp_path, "train")
    assert str(error.value).startswith(
        f"{tmp_path}/train: holds mask/, new/, old/, which is no known layout; rename them to A/, B/ "
        "and label/ (before, after and mask), write train.txt with these three paths a line, or name "
    )
    assert len(str(error.value)) < 500
