"""Bands in a card: written, read without torch, and refused where they make no sense."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geochange.errors import InputError
from geochange.models.bands.input_bands import InputBands, bands_of_file
from geochange.models.changeclip.network import ChangeClipOptions
from geochange.models.weights.model_card import Card

BANDS = InputBands(("red", "nir", "band 3"), (1, 4, 3), (0.5, 900.0, -12.0), (1.0, 250.0, 4.0))


def with_header(path: Path, card: str) -> Path:
    """A file with no tensor and a card in its header."""
    header = json.dumps({"__metadata__": {"geochange": card}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def test_a_card_keeps_its_bands(tmp_path: Path) -> None:
    card = Card(ChangeClipOptions(bands=replace(BANDS, unit="db", rgb=(2, 1, 0))))
    assert Card.from_json(card.to_json()) == card
    assert (
        bands_of_file(with_header(tmp_path / "a.safetensors", card.to_json())) == card.options.bands
    )


def test_a_card_of_rgb_is_written_as_by_earlier_versions(tmp_path: Path) -> None:
    card = Card(ChangeClipOptions())
    assert "bands" not in json.loads(card.to_json())["options"]
    assert bands_of_file(with_header(tmp_path / "a.safetensors", card.to_json())) is None


def test_bands_without_a_name_are_known_as_such() -> None:
    assert [BANDS.is_named(place) for place in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("names", ["red", "nir"], "lists of 2, 3, 3, 3 bands"),
        ("names", ["red", "nir", 3], "a name"),
        ("names", ["red", "nir", "x" * 61], "a name"),
        ("names", "rgb", "a list is missing"),
        ("numbers", [1, 0, 3], "a number"),
        ("numbers", [True, 2, 3], "a number"),
        ("mean", [0, float("nan"), 1], "not finite"),
        ("mean", [0, "1", 1], "not finite"),
        ("std", [1, 0, 1], "a deviation of 0"),
        ("unit", "metres", "unit metres"),
        ("unit", [1], r"unit \(1,\)"),
        ("rgb", [0, 1], "rgb"),
        ("rgb", [0, 1, 1], "rgb"),
        ("rgb", [0, 1, 3], "rgb"),
        ("depth", 9, "cannot be read"),
    ],
)
def test_bands_that_make_no_sense_are_refused(name: str, value: Any, line: str) -> None:
    values = json.loads(json.dumps(BANDS.to_json())) | {name: value}
    with pytest.raises(InputError, match=f"its bands .*{line}"):
        InputBands.from_json(values)
    with pytest.raises(InputError, match="its bands are not a table"):
        InputBands.from_json([1])


@pytest.mark.parametrize(
    "contents",
    [b"", b"PK\x03\x04 some archive", b"\xff" * 40, (9).to_bytes(8, "little") + b'{"a":"b"}'],
)
def test_other_files_have_none(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(contents)
    assert bands_of_file(tmp_path / "a.pth") is None
    assert bands_of_file(tmp_path / "missing.pth") is None


def test_a_bad_card_names_its_file(tmp_path: Path) -> None:
    file = with_header(tmp_path / "a.safetensors", json.dumps({"options": {"bands": 3}}))
    with pytest.raises(InputError, match=r"a\.safetensors: its bands are not a table"):
        bands_of_file(file)


def test_torch_is_not_needed_to_read_them() -> None:
    code = "import sys, geochange.models.bands.input_bands; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
