"""`data check` and `data index` for a new user: output, errors and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from makers import noise
from PIL import Image

from geochange.cli.main import _exit_code


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two chips to train on and one to validate on; nothing is shared."""
    for seed, (split, name) in enumerate((("train", "a"), ("train", "b"), ("val", "c"))):
        for kind, shift in (("A", 0), ("B", 50)):
            save(tmp_path / "set" / split / kind / f"{name}.png", noise((8, 8, 3), seed + shift))
        label = np.zeros((8, 8), np.uint8)
        label[:2] = 255
        save(tmp_path / "set" / split / "label" / f"{name}.png", label)
    return tmp_path / "set"


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.mark.slow
def test_check_tells_what_is_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = root.parent / "found.json"
    assert _exit_code(["data", "check", str(root), "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    for told in ("levir", "8 x 8", "0 none, 255 change", "25.00%", "leaks", "masks of change"):
        assert told in shown
    found = json.loads(file.read_text())
    assert found["splits"]["train"]["chips"] == 2
    assert found["leaks"] == []


def test_check_tells_what_is_not_read(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "train" / "sketches").mkdir()
    (root / "older").mkdir()
    assert _exit_code(["data", "check", str(root)]) == 0
    rows = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if "│" in line]
    told = {row[0].strip(): row[1].strip() for row in rows}
    assert told["ignores"] == "sketches/"
    assert (told["misses"], told["splits that miss"], told["folders ignored"]) == (
        *("nothing", "test", "older/"),
    )


@pytest.mark.slow
def test_check_reads_an_archive(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = shutil.make_archive(str(root), "zip", root.parent, root.name)
    assert _exit_code(["data", "check", archive]) == 0
    assert "levir" in capsys.readouterr().out
    assert _exit_code(["data", "index", archive]) == 2
    assert "holds no folders of chips" in capsys.readouterr().err


def test_check_refuses_to_guess(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(root / "train" / "label", root / "train" / "OUT")
    assert _exit_code(["data", "check", str(root), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "say which it is: --layout=levir" in said
    assert _exit_code(["data", "check", str(root), "--quiet", "--layout=levir"]) == 0


def test_check_warns_of_leaks(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(root / "train/A/b.png", root / "val/B/c.png")
    file = root.parent / "found.json"
    assert _exit_code(["data", "check", str(root), "--json", str(file)]) == 0
    assert "same pixels as in train" in capsys.readouterr().out
    (leak,) = json.loads(file.read_text())["leaks"]
    assert leak == {"what": "same pixels", "splits": ["train", "val"], "chips": [["b", "c"]]}


def test_check_in_silence_writes_alone(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = root.parent / "found.json"
    assert _exit_code(["data", "check", str(root), "--quiet", "--json", str(file)]) == 0
    assert capfd.readouterr() == ("", "")
    assert file.exists()


def test_check_refuses_in_a_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = root / "val/B/c.png"
    picture.write_bytes(picture.read_bytes()[:-60])
    file = root.parent / "found.json"
    assert _exit_code(["data", "check", str(root), "--quiet", "--json", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "val/B/c.png: damaged" in said
    assert not file.exists()


REFUSED = {
    "no folder": ("nowhere", "no such folder"),
    "no set": (".", "neither train/"),
    "layout of none": ("set --layout best", "choose auto"),
    "another layout": ("set --layout cdd", "OUT: no such folder"),
    "bands that are not there": ("set --bands 4,3,2", "no band 4"),
    "into a folder": ("set --json set", "is a folder"),
    "into no folder": ("set --json no/where.json", "create it"),
}


@pytest.mark.parametrize(("words", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_check_refuses(
    root: Path,
    words: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(root.parent)
    assert _exit_code(["data", "check", "--quiet", *words.split()]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and told in said


def test_index_lists_the_splits_that_are_there(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # a list may be replaced
        assert _exit_code(["data", "index", str(root)]) == 0
    assert "2 chips" in capsys.readouterr().out
    assert (root / "train.txt").read_text() == (
        "train/A/a.png  train/B/a.png  train/label/a.png\n"
        "train/A/b.png  train/B/b.png  train/label/b.png\n"
    )
    assert sorted(path.name for path in root.iterdir() if path.is_file()) == [
        "train.txt",
        "val.txt",
    ]
    assert _exit_code(["data", "check", str(root), "--layout", "list"]) == 0


def test_index_writes_all_or_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "val.txt").write_text("my notes\n")
    assert _exit_code(["data", "index", str(root)]) == 2
    assert "not a list of chips" in capsys.readouterr().err
    assert not (root / "train.txt").exists()
    assert (root / "val.txt").read_text() == "my notes\n"


def test_index_refuses_where_there_are_lists_alone(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _exit_code(["data", "index", str(root), "--layout", "pairs"]) == 2
    lists = root.parent / "lists"
    lists.mkdir()
    (lists / "train.txt").write_text("a.png  b.png  c.png\n")
    assert _exit_code(["data", "index", str(lists)]) == 2
    assert capsys.readouterr().err.count("no folders of chips") == 2
