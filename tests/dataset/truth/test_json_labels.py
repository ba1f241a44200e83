"""Damage and objects in JSON are drawn as they are told; files that do not fit are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layout_sets import COCO_LABEL, SIZE, building, coco_of, write_json

from geochange.dataset.truth import coco_labels, damage_labels
from geochange.dataset.truth.coco_labels import CocoLabels
from geochange.dataset.truth.damage_labels import DamageLabels
from geochange.dataset.truth.run_lengths import mask_of_runs
from geochange.errors import InputError
from geochange.grid.tiling import Window

SHAPE = (SIZE, SIZE)


def test_a_worse_damage_hides_a_slighter_one(tmp_path: Path) -> None:
    listed = [
        building("destroyed", (0, 4), (0, 4)),
        building("no-damage", (2, 6), (2, 6)),
        building("un-classified", (3, 8), (3, 8)),
    ]
    path = write_json(tmp_path / "a.json", {"features": {"xy": listed}})
    label = DamageLabels(path).change(SHAPE, None)
    expected = np.zeros(SHAPE, np.uint8)
    expected[3:8, 3:8] = 255
    expected[2:6, 2:6] = 0
    expected[0:4, 0:4] = 1
    np.testing.assert_array_equal(label, expected)
    np.testing.assert_array_equal(
        DamageLabels(path).change(SHAPE, Window(2, 1, 5, 6)), expected[2:7, 1:7]
    )
    classes = DamageLabels(path).classes(SHAPE, None)
    assert classes.names[classes.before[0, 0]] == "no damage"
    assert classes.names[classes.after[0, 0]] == "destroyed"


def test_no_building_is_no_change(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"features": {"xy": []}})
    assert not DamageLabels(path).change(SHAPE, None).any()


NAN = "POLYGON ((0 0, nan 1, 1 1, 0 0))"

BAD_DAMAGE: dict[str, tuple[Any, str]] = {
    "no object": ([], "is not a label file of xBD"),
    "no features": ({"features": []}, "has no features.xy"),
    "no wkt": ({"features": {"xy": [{"properties": {}}]}}, "has no wkt"),
    "other damage": ({"features": {"xy": [building("gone", (0, 1), (0, 1))]}}, "the damage 'gone'"),
    "damage of no name": (
        {"features": {"xy": [{"wkt": NAN, "properties": {"subtype": [1]}}]}},
        r"the damage '\[1\]'",
    ),
    "far": ({"features": {"xy": [building("destroyed", (0, 10**9), (0, 1))]}}, "corners beyond"),
    "a point": (
        {"features": {"xy": [{"wkt": "POINT (1 1)", "properties": {"subtype": "destroyed"}}]}},
        "no polygons",
    ),
    "no shape": (
        {"features": {"xy": [{"wkt": "POLYGON", "properties": {"subtype": "destroyed"}}]}},
        "WKT that is no polygon",
    ),
    "not a number": (
        {"features": {"xy": [{**building("destroyed", (0, 1), (0, 1)), "wkt": NAN}]}},
        "corners beyond",
    ),
}


@pytest.mark.parametrize(("told", "said"), BAD_DAMAGE.values(), ids=BAD_DAMAGE.keys())
def test_labels_that_are_no_damage_are_refused(tmp_path: Path, told: Any, said: str) -> None:
    path = write_json(tmp_path / "a.json", told)
    with pytest.raises(InputError, match=rf"a\.json: .*{said}") as refused:
        DamageLabels(path).change(SHAPE, None)
    assert "\n" not in str(refused.value)


def test_json_is_read_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"features":' + "[" * 100_000)
    with pytest.raises(InputError, match=r"deep\.json: cannot be read as JSON"):
        DamageLabels(path).change(SHAPE, None)
    monkeypatch.setattr(damage_labels, "LARGEST_BYTES", 1000)
    with pytest.raises(InputError, match=r"deep\.json: too large for a label file of xBD"):
        DamageLabels(path).change(SHAPE, None)


def test_objects_and_crowds(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", coco_of(["a.png", "b.png"]))
    label = CocoLabels(path, ("a.png",)).change(SHAPE, None)
    np.testing.assert_array_equal(label, COCO_LABEL)
    part = CocoLabels(path, ("a.png",)).change(SHAPE, Window(1, 0, 9, 16))
    np.testing.assert_array_equal(part, COCO_LABEL[1:10])
    assert not CocoLabels(path, ("b.png",)).change(SHAPE, None).any()


def pack(counts: list[int]) -> str:
    """Counts as the text of the COCO API: its inverse, written from its description."""
    text = ""
    for number, count in enumerate(counts):
        value, more = count - (counts[number - 2] if number > 2 else 0), True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + (32 if more else 0))
    return text


def test_run_lengths_of_both_kinds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5, 0.97):
        mask = rng.random((19, 23)) < share
        flat = mask.ravel(order="F").astype(int)
        edges = np.flatnonzero(np.diff(flat, prepend=0, append=2)) if flat.any() else [flat.size]
        counts = np.diff(edges, prepend=0).tolist()
        for form in (counts, pack(counts)):
            told = {"size": [19, 23], "counts": form}
            np.testing.assert_array_equal(mask_of_runs(tmp_path, told, (19, 23)), mask)


def test_a_known_text_of_the_coco_api(tmp_path: Path) -> None:
    """What pycocotools makes of two rectangles."""
    mask = np.zeros((40, 50), bool)
    mask[3:30, 5:9], mask[10:12, 20:45] = True, True
    text = f"[6k0={'0' * 5}o=WOjB{'0' * 47}n5"
    told = {"size": [40, 50], "counts": text}
    np.testing.assert_array_equal(mask_of_runs(tmp_path, told, (40, 50)), mask)


@pytest.mark.parametrize(
    "counts",
    [[4, 4], [4, -4, 16], [2**70], ["a"], [[16]], None, "44", "z", "\x00", 16, [1e300], "P" * 40],
)
def test_run_lengths_that_do_not_fill_are_refused(tmp_path: Path, counts: Any) -> None:
    with pytest.raises(InputError, match="do not fill a picture of 4 x 4 px"):
        mask_of_runs(tmp_path, {"size": [4, 4], "counts": counts}, (4, 4))
    with pytest.raises(InputError, match="do not fill"):
        mask_of_runs(tmp_path, {"size": [40000, 40000], "counts": [16]}, (4, 4))


def test_an_outline_of_objects_is_of_pixels(tmp_path: Path) -> None:
    ring_of: Callable[[Any], dict[str, Any]] = lambda ring: {  # noqa: E731
        **coco_of(["a.png"]),
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": ring}],
    }
    bad: list[Any] = [
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5, 6, 7]],
        [["a"] * 6],
        [[1e9] * 6],
        [1, 2],
        [[None] * 6],
    ]
    for number, ring in enumerate(bad):
        path = write_json(tmp_path / f"{number}.json", ring_of(ring))
        with pytest.raises(InputError, match=r"three or more corners|corners beyond"):
            CocoLabels(path, ("a.png",)).change(SHAPE, None)


BAD_COCO: dict[str, tuple[dict[str, Any], str]] = {
    "no list": ({"images": {}}, "has no list of images"),
    "out of the folder": ({"images": [{"id": 1, "file_name": "../../a.png"}]}, "names the picture"),
    "from the root": ({"images": [{"id": 1, "file_name": "/etc/a.png"}]}, "names the picture"),
    "no name": ({"images": [{"id": 1}]}, "names the picture"),
    "no id": ({"images": [{"file_name": "a.png"}]}, "no number as id"),
    "twice": ({"images": [{"id": 1, "file_name": "a.png"}] * 2}, "twice"),
    "no such picture": ({"annotations": [{"image_id": 7}]}, "names no picture"),
    "a box": (
        {
            "annotations": [
                {"image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "segmentation": []}
            ]
        },
        "has a box and no segmentation",
    ),
}


@pytest.mark.parametrize(("change", "said"), BAD_COCO.values(), ids=BAD_COCO.keys())
def test_files_that_are_no_coco_are_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = write_json(tmp_path / "a.json", {**coco_of(["a.png"]), **change})
    with pytest.raises(InputError, match=rf"a\.json: .*{said}") as refused:
        coco_labels.read_coco(path)
    assert "\n" not in str(refused.value)
