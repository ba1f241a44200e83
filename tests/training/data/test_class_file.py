"""Files of class names as the authors' tool writes them, and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geochange.errors import InputError, OutputError
from geochange.training.data.class_file import NAMES_PER_CHIP, Ranking, read_classes, write_classes

NAMED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def ranked(*names: str) -> Ranking:
    return [(name, 1 / (place + 2)) for place, name in enumerate(names)]


AUTHORS = """[
    {
        "image_path": "/home/user/SYSU-CD/train/time1/00001.png",
        "parking lot": "0.5129",
        "forêt": "0.2871",
        "a": "0.1",
        "b": "0.1",
        "c": "0.0",
        "d": "0.0",
        "e": "0.0",
        "f": "0.0",
        "g": "0.0",
        "h": "0.0"
    }
]"""


def test_what_the_authors_tool_writes_is_read(tmp_path: Path) -> None:
    file = tmp_path / "time1_clipcls_56_vit16.json"
    file.write_text(AUTHORS, "utf-8")
    names = ("parking lot", "forêt", *"abcdefg")
    assert read_classes(file) == {"/home/user/SYSU-CD/train/time1/00001.png": names}


def test_the_bytes_that_are_written(tmp_path: Path) -> None:
    """The bytes of json.dump(..., indent=4, ensure_ascii=False), as the authors call it."""
    file = tmp_path / "classes.json"
    write_classes(file, [("a b.png", [("forêt", 0.87654), ("sea", 0.00004), ("x", 1e-9)])])
    assert file.read_bytes().decode("utf-8") == (
        '[\n    {\n        "image_path": "a b.png",\n        "forêt": "0.8765",\n'
        '        "sea": "0.0000",\n        "x": "0.0000"\n    }\n]'
    )
    assert list(tmp_path.iterdir()) == [file]


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
names = st.lists(texts.filter(lambda x: x != "image_path"), min_size=9, max_size=12, unique=True)


@pytest.mark.slow
@given(st.dictionaries(texts, names, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, wanted: dict[str, list[str]]) -> None:
    file = tmp_path_factory.mktemp("round") / "classes.json"
    write_classes(file, [(path, ranked(*own)) for path, own in wanted.items()])
    read = read_classes(file)
    assert list(read.items()) == [
        (path, tuple(own[:NAMES_PER_CHIP])) for path, own in wanted.items()
    ]


def good() -> dict[str, Any]:
    return {"image_path": "x/1.png", **dict.fromkeys(NAMED, "0.1000")}


def test_a_path_that_is_no_utf8(tmp_path: Path) -> None:
    file, path = tmp_path / "classes.json", b"caf\xe9.png".decode("utf-8", "surrogateescape")
    write_classes(file, [(path, ranked(*NAMED))])
    assert list(read_classes(file)) == [path]


DAMAGED = {
    "no list": ({"image_path": "1.png"}, "not a list"),
    "empty list": ([], "not a list"),
    "entry that is none": ([good(), "2.png"], "entry 2 is not an object"),
    "no path": ([good(), {"one": "0.5"}], "entry 2 has no image_path"),
    "path that is no text": ([{**good(), "image_path": 7}], "entry 1 has no image_path"),
    "eight names": (
        [{"image_path": "x/1.png", **dict.fromkeys(NAMED[:8], "0.1")}],
        r"entry 1 \(x/1.png\) has 8 class names, but 9",
    ),
    "one picture twice": ([good(), good()], "entry 2 is of x/1.png, as is one before"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_with_its_entry(case: str, tmp_path: Path) -> None:
    values, message = DAMAGED[case]
    file = tmp_path / "classes.json"
    file.write_text(json.dumps(values))
    with pytest.raises(InputError, match=rf"classes\.json: .*{message}"):
        read_classes(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (AUTHORS.encode()[:-40], "truncated or not valid JSON"),
        (b"", "truncated or not valid JSON"),
        (b"\xff\xfe\x00", "truncated or not valid JSON"),
        (b"[" * 100_000, "truncated or not valid JSON"),
        (AUTHORS.replace('"h"', '"g"').encode(), "g occurs twice"),
    ],
)
def test_what_is_no_json(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "classes.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"classes\.json: .*{message}") as refused:
        read_classes(file)
    assert "geochange data prompts" in str(refused.value)


def test_a_missing_class_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"classes\.json cannot be read: No such file"):
        read_classes(tmp_path / "classes.json")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    place = tmp_path / "no" / "classes.json"
    with pytest.raises(OutputError, match=r"classes\.json cannot be written \(No such file"):
        write_classes(place, [("1.png", ranked(*NAMED))])


def test_what_was_there_stays_where_writing_breaks_off(tmp_path: Path) -> None:
    file = tmp_path / "classes.json"
    write_classes(file, [("1.png", ranked(*NAMED))])

    def breaking() -> Any:
        yield "2.png", ranked(*NAMED)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_classes(file, breaking())
    assert list(read_classes(file)) == ["1.png"]
    assert list(tmp_path.iterdir()) == [file]
