"""`geochange weights` for a new user: its output and its errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from changeclip_cases import CLIP_SHAPE, SMALL, fill_by_name, pictures, texts
from safetensors.torch import save_file

from geochange.cli.main import _exit_code
from geochange.models.changeclip.network import ChangeClip
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.locate import FOLDER_ENV
from geochange.models.weights.model_card import Card
from geochange.models.weights.openclip import build_clip

pytestmark = pytest.mark.slow

Captured = pytest.CaptureFixture[str]

# No text is encoded here, and a small text tower keeps files below a megabyte.
TINY = {kind: replace(o, text=replace(o.text, words=9)) for kind, o in SMALL.items()}


@lru_cache(maxsize=2)
def _network(kind: str) -> ChangeClip:
    network = ChangeClip(TINY[kind]).eval()
    fill_by_name(network.requires_grad_(False))
    return network


@lru_cache(maxsize=1)
def _clip() -> torch.nn.Module:
    return build_clip(replace(CLIP_SHAPE, text=CLIP_SHAPE.text | {"vocab_size": 9}), False)


class _Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch pwned",)


def _ours(path: Path) -> None:
    card = Card(
        TINY["vit"],
        prompts="published",
        threshold=0.4,
        metrics={"iou": 0.71},
        provenance={"data": "SYSU-CD [1]"},
        licence="CC-BY-4.0\x1b[31m",
    )
    write_checkpoint(path, Checkpoint(card, _network("vit").state_dict()))


def _theirs(path: Path) -> None:
    torch.save({"meta": {"epoch": 3}, "state_dict": _network("resnet").state_dict()}, path)


def _hostile(path: Path) -> None:
    torch.save({"state_dict": _network("vit").state_dict(), "hook": _Hostile()}, path)


def _truncated(path: Path) -> None:
    _ours(path)
    path.write_bytes(path.read_bytes()[:-5000])


def _truncated_pth(path: Path) -> None:
    _theirs(path)
    path.write_bytes(path.read_bytes()[:-5000])


def _changed(**values: torch.Tensor) -> Callable[[Path], None]:
    return lambda path: save_file(dict(_network("resnet").state_dict()) | values, path)


def _card_says(old: str, new: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        text = Card(TINY["vit"]).to_json()
        assert old in text
        card = text.replace(old, new)
        save_file(_network("vit").state_dict(), path, metadata={"geochange": card})

    return write


def _picture(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))


UNFIT = {
    "hostile": ("bad.pth", _hostile, "none of its code was run: it uses posix.system"),
    "truncated": ("bad.safetensors", _truncated, "truncated or damaged"),
    "truncated archive": ("bad.pth", _truncated_pth, "truncated or damaged"),
    "empty": ("bad.pth", Path.touch, "damaged"),
    "a picture": ("bad.pth", _picture, "holds no weights of torch or safetensors"),
    "wrong shape": (
        "bad.safetensors",
        _changed(gamma=torch.ones(7)),
        "gamma is (7,), expected (32,)",
    ),
    "one too many": ("bad.safetensors", _changed(more=torch.ones(1)), "more has no place"),
    "wrong rank": (
        "bad.safetensors",
        _changed(contexts2=torch.ones(3)),
        "are not valid",
    ),
    "card of another kind": (
        "bad.safetensors",
        _card_says('"heads": 1', '"heads": "1"'),
        "is not valid",
    ),
    "card out of range": (
        "bad.safetensors",
        _card_says('"threshold": 0.5', '"threshold": 5'),
        "it lies between 0 and 1",
    ),
    "another model's": (
        "bad.safetensors",
        lambda path: save_file({"a\nb": torch.ones(1)}, path),
        "neither ChangeCLIP's nor CLIP's weights; its tensors are a?b",
    ),
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    _ours(folder / "ours.safetensors")
    _theirs(folder / "theirs.pth")
    torch.save(_clip().state_dict(), folder / "clip.bin")
    (folder / "notes.txt").write_text("no weights\n")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, without a folder of weights, and a wide terminal."""
    monkeypatch.delenv(FOLDER_ENV, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _rows(shown: str) -> dict[str, str]:
    """Names and values of a table; a heading has no value."""
    cells = [line.strip().split("  ", 1) for line in shown.splitlines()]
    return {name: "".join(value).strip() for name, *value in cells}


def _refused(words: list[str], capsys: Captured) -> str:
    there = sorted(Path.cwd().rglob("*"))
    assert _exit_code(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert sorted(Path.cwd().rglob("*")) == there, "something was left behind"
    return captured.err


def test_show_tells_all_of_the_card(shelf: Path, capsys: Captured) -> None:
    assert _exit_code(["weights", "show", str(shelf / "ours.safetensors")]) == 0
    rows = _rows(capsys.readouterr().out)
    count = sum(p.numel() for p in _network("vit").parameters())
    expected = {
        "file": str(shelf / "ours.safetensors"),
        "kind": "ChangeCLIP",
        "variant": "ViT of 12 blocks, 64 wide, patches of 16 px",
        "parameters": f"{count:,}",
        "input size": "64 x 64 px",
        "context": "dropout 0.1, heads 1, layers 1, width 64",
        "prompts": "published",
        "CLIP": "not in the file",
        "vocabulary": "56 names",
        "metrics": "iou 0.71",
        "threshold": "0.4",
        "provenance": "data SYSU-CD [1]",
        "licence": "CC-BY-4.0?[31m",
    }
    assert rows | expected == rows
    assert "taps 4-6-8-12" in rows["visual"]


def test_show_knows_the_authors_file(shelf: Path, capsys: Captured) -> None:
    assert _exit_code(["weights", "show", str(shelf / "theirs.pth")]) == 0
    rows = _rows(capsys.readouterr().out)
    assert rows["variant"] == "ResNet of 1-2-1-1 blocks, 4 wide"
    assert rows["input size"] == "64 x 64 px"
    assert rows["metrics"] == "none recorded"
    assert rows["provenance"] == "source theirs.pth"
    assert rows["licence"] == "unknown"


def test_show_knows_clips_weights(shelf: Path, capsys: Captured) -> None:
    assert _exit_code(["weights", "show", str(shelf / "clip.bin")]) == 0
    rows = _rows(capsys.readouterr().out)
    assert rows["kind"] == "CLIP"
    assert rows["variant"] == "ViT of 2 blocks, 64 wide, patches of 16 px"
    assert rows["parameters"] == f"{sum(p.numel() for p in _clip().parameters()):,}"
    assert rows["input size"] == "32 x 32 px"
    assert rows["QuickGELU"] == "no"
    assert "prompts" not in rows


def test_show_as_json(shelf: Path, capsys: Captured) -> None:
    assert _exit_code(["weights", "show", str(shelf / "ours.safetensors"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    card = json.loads(read_checkpoint(shelf / "ours.safetensors").card.to_json())
    assert told | card == told
    assert (told["kind"], told["input_px"], told["vocabulary_size"]) == ("ChangeCLIP", 64, 56)
    assert _exit_code(["weights", "show", str(shelf / "clip.bin"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"]["visual"]["layers"] == 2


def test_a_card_that_another_hand_wrote_is_shown(here: Path, capsys: Captured) -> None:
    _card_says('"metrics": {}', '"metrics": [1, 2]')(here / "odd.safetensors")
    assert _exit_code(["weights", "show", "odd.safetensors"]) == 0
    assert _rows(capsys.readouterr().out)["metrics"] == "[1, 2]"


@pytest.mark.parametrize("command", ["show bad", "convert bad out.safetensors"])
@pytest.mark.parametrize("case", UNFIT)
def test_unfit_files_are_refused(case: str, command: str, here: Path, capsys: Captured) -> None:
    name, write, said = UNFIT[case]
    write(here / name)
    before = (here / name).read_bytes()
    told = _refused(["weights", *command.replace("bad", name).split()], capsys)
    assert told.startswith(f"geochange: {name}: ")
    assert said in told
    assert (here / name).read_bytes() == before


@pytest.mark.parametrize("name", ["ours.safetensors", "theirs.pth"])
def test_convert_keeps_the_logits(name: str, shelf: Path, here: Path, capsys: Captured) -> None:
    assert _exit_code(["weights", "convert", str(shelf / name), "out.safetensors"]) == 0
    assert "out.safetensors: ChangeCLIP" in capsys.readouterr().out
    assert [path.name for path in here.iterdir()] == ["out.safetensors"]
    old, new = read_checkpoint(shelf / name), read_checkpoint("out.safetensors")
    assert new.card == old.card
    options = old.card.options
    inputs = (
        *(pictures(1, 64, 64, seed) for seed in (0, 1)),
        *(texts(options, 1, seed) for seed in (0, 1)),
    )
    with torch.no_grad():
        assert torch.equal(old.build()(*inputs), new.build()(*inputs))


def test_convert_replaces_what_is_there_only_when_whole(
    shelf: Path, here: Path, capsys: Captured
) -> None:
    (here / "out.safetensors").write_text("old")
    _truncated(here / "bad.safetensors")
    _refused(["weights", "convert", "bad.safetensors", "out.safetensors"], capsys)
    assert (here / "out.safetensors").read_text() == "old"
    assert _exit_code(["weights", "convert", str(shelf / "theirs.pth"), "out.safetensors"]) == 0
    assert read_checkpoint("out.safetensors").card.options == TINY["resnet"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("in.safetensors in.safetensors", "would overwrite the input"),
        ("in.safetensors ./linked.safetensors", "would overwrite the input"),
        (".new.safetensors.part new.safetensors", "would overwrite the input"),
        ("in.safetensors nowhere/out.safetensors", "no folder nowhere: create it"),
        ("in.safetensors folder.safetensors", "is a folder"),
        ("in.safetensors /proc/out.safetensors", "cannot write in /proc"),
        ("in.safetensors out.pth", "name it out.safetensors"),
        ("in.safetensors out", "name it out.safetensors"),
        ("nothing.pth out.safetensors", f"no weights at nothing.pth; {FOLDER_ENV}"),
        ("in.safetensors", "Missing argument 'OUT'"),
    ],
)
def test_convert_refuses_places(words: str, said: str, here: Path, capsys: Captured) -> None:
    (here / "in.safetensors").write_text("weights")
    (here / "linked.safetensors").symlink_to("in.safetensors")
    (here / ".new.safetensors.part").write_text("weights")
    (here / "folder.safetensors").mkdir()
    assert said in _refused(["weights", "convert", *words.split()], capsys)
    assert (here / "in.safetensors").read_text() == "weights"


def test_average_is_the_mean(here: Path, capsys: Captured) -> None:
    for name, add, threshold in (("a", 0.0, 0.5), ("b", 0.5, 0.6), ("c", 1.0, 0.7)):
        card = Card(TINY["vit"], threshold=threshold, metrics={"iou": 0.7})
        state = _network("vit").state_dict()
        moved = {k: x + add if x.is_floating_point() else x for k, x in state.items()}
        write_checkpoint(here / f"{name}.safetensors", Checkpoint(card, moved))
    files = [f"{name}.safetensors" for name in "abc"]
    assert _exit_code(["weights", "average", *files, "mean.safetensors"]) == 0
    assert "mean.safetensors: ChangeCLIP" in capsys.readouterr().out
    mean, middle = read_checkpoint("mean.safetensors"), read_checkpoint("b.safetensors")
    for name, value in middle.tensors.items():
        torch.testing.assert_close(mean.tensors[name], value, atol=1e-6, rtol=1e-6)
    assert mean.card.threshold == pytest.approx(0.6)
    assert mean.card.metrics == {}
    assert mean.card.provenance["mean of"] == "3 states"
    chosen = ["weights", "average", *files, "half.safetensors", "--half", "--threshold", "0.72"]
    assert _exit_code(chosen) == 0
    half = read_checkpoint("half.safetensors")
    assert half.card.threshold == 0.72
    assert (here / "half.safetensors").stat().st_size < 0.6 * (here / files[0]).stat().st_size


def _card(**changes: Any) -> Callable[[Path], None]:
    return lambda path: write_checkpoint(
        path, Checkpoint(Card(TINY["vit"], **changes), _network("vit").state_dict())
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_theirs, "another shape"),
        (_card(vocabulary=("house", "road")), "other names of classes"),
        (_card(prompts="fixed"), "other prompts"),
        (_truncated, "other: the file is truncated or damaged"),
        (_hostile, "other: the pickle is refused"),
    ],
)
def test_only_states_of_one_network_are_averaged(
    make: Callable[[Path], None], said: str, here: Path, capsys: Captured
) -> None:
    _card(prompts="published")(here / "one.safetensors")
    make(here / "other")
    words = ["weights", "average", "one.safetensors", "other", "mean.safetensors"]
    assert said in _refused(words, capsys)
    assert not (here / "mean.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("one.safetensors out.safetensors", "a mean needs two files or more; name two states"),
        ("one.safetensors one.safetensors", "a mean needs two files or more; name two states"),
        ("one.safetensors two.safetensors one.safetensors", "would overwrite the input"),
        ("one.safetensors two.safetensors out.pth", "name it out.safetensors"),
        ("one.safetensors nothing.pth out.safetensors", "no weights at nothing.pth"),
        ("out.safetensors", "Missing argument 'IN...'"),
        ("one.safetensors two.safetensors out.safetensors --threshold 1", "not in the range"),
    ],
)
def test_average_refuses_places(words: str, said: str, here: Path, capsys: Captured) -> None:
    for name in ("one", "two"):
        (here / f"{name}.safetensors").write_text("weights")
    assert said in _refused(["weights", "average", *words.split()], capsys)
    assert (here / "one.safetensors").read_text() == "weights"


def test_clips_weights_are_not_converted(shelf: Path, capsys: Captured) -> None:
    words = ["weights", "convert", str(shelf / "clip.bin"), "out.safetensors"]
    assert "--clip takes them" in _refused(words, capsys)


def test_list_says_what_each_file_is(
    shelf: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for path in shelf.iterdir():
        (here / path.name).symlink_to(path)
    _hostile(here / "hostile.pth")
    _changed(contexts2=torch.ones(3))(here / "odd.safetensors")
    monkeypatch.setenv(FOLDER_ENV, str(here))
    assert _exit_code(["weights", "list"]) == 0
    rows = _rows(capsys.readouterr().out)
    assert list(rows) == [
        *("clip.bin", "hostile.pth", "odd.safetensors", "ours.safetensors", "theirs.pth")
    ]
    assert rows["clip.bin"] == "CLIP ViT of 2 blocks, 64 wide, patches of 16 px"
    assert rows["hostile.pth"].startswith("cannot be used: the pickle is refused")
    assert rows["odd.safetensors"].startswith("cannot be used: its card or tensors are not valid")
    assert rows["ours.safetensors"].endswith("patches of 16 px, 64 px, prompts published")
    assert rows["theirs.pth"].endswith("4 wide, 64 px, prompts per-date")
    assert not (here / "pwned").exists()


def test_a_bare_name_is_found_in_the_folder(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv(FOLDER_ENV, str(shelf))
    assert _exit_code(["weights", "show", "theirs.pth"]) == 0
    assert _rows(capsys.readouterr().out)["file"] == str(shelf / "theirs.pth")
    assert "nor in" in _refused(["weights", "show", "others.pth"], capsys)


def test_list_without_a_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert _exit_code(["weights", "list"]) == 0
    assert f"export {FOLDER_ENV}=" in capsys.readouterr().out
    monkeypatch.setenv(FOLDER_ENV, str(here))
    assert _exit_code(["weights", "list"]) == 0
    assert "No weights" in capsys.readouterr().out
    monkeypatch.setenv(FOLDER_ENV, str(here / "none"))
    assert "no such folder; create it" in _refused(["weights", "list"], capsys)


@pytest.mark.parametrize(
    "words", ["", "--help", *(f"{c} -h" for c in ("show", "convert", "average", "list"))]
)
def test_help_ends_with_an_example(words: str, capsys: Captured) -> None:
    assert _exit_code(["weights", *words.split()]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("Usage: geochange weights")
    assert "geochange weights " in captured.out.strip().splitlines()[-1]


def test_unknown_words_are_refused(capsys: Captured) -> None:
    assert "No such command 'melt'" in _refused(["weights", "melt"], capsys)
    assert "--loud" in _refused(["weights", "list", "--loud"], capsys)


def test_help_and_refusals_wait_for_no_torch() -> None:
    code = (
        "import sys\n"
        "from geochange.cli.main import _exit_code\n"
        "for words in ('', 'show -h', 'show none.pth', 'convert a b', 'list'):\n"
        "    _exit_code(['weights', *words.split()])\n"
        "print(*(m for m in ('torch', 'numpy', 'pydantic') if m in sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == ""
