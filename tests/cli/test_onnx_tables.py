"""`weights show` of an ONNX file: what is said, what noise tells, and a description that `run` takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from onnx_files import SAID, Eight, Siamese, Stacked, Then, export
from torch import nn

from geochange.cli.main import cli
from geochange.models.onnx.describe import describe, outlined
from geochange.models.onnx.probe import probe


def show(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["weights", "show", *words])
    return done.exit_code, done.output if done.exception is None else str(done.exception)


class Halved(nn.Module):
    """A network that takes multiples of 16 alone."""

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        x = (before - after).mean(dim=1, keepdim=True)
        b, c, h, w = x.shape
        return x.reshape(b, c, h // 16, 16, w // 16, 16).reshape(b, c, h, w)


@pytest.mark.slow
def test_what_noise_tells_is_marked_as_guessed_and_written(tmp_path: Path) -> None:
    path = export(Halved(), tmp_path / "net.onnx", (torch.rand(1, 3, 32, 32),) * 2)
    code, said = show(str(path))
    assert code == 0
    rows = " ".join(said.split())
    assert "multiple 16 (guessed: check it)" in rows
    assert "says logits (guessed: check it)" in rows
    assert "scale 255.0 (guessed: check it)" in rows
    assert "takes both dates as two inputs, padded to its multiple" in rows
    assert not (tmp_path / "net.onnx.yaml").exists()
    assert show(str(path), "--write")[0] == 0
    written = describe(path).options
    assert written.multiple == 16 and written.bands == ("red", "green", "blue")
    code, said = show(str(path), "--json")
    assert code == 0 and json.loads(said)["guessed"] == []
    (tmp_path / "net.onnx.yaml").write_text("scale: 1\nsays: logits")
    assert "delete it first" in show(str(path), "--write")[1]
    assert (tmp_path / "net.onnx.yaml").read_text() == "scale: 1\nsays: logits"


@pytest.mark.parametrize(
    ("module", "pictures", "expected"),
    [
        (Then(Siamese(1), torch.sigmoid), None, {"says": "probability", "scale": 255}),
        (Then(Siamese(3), lambda x: x.softmax(1)), None, {"says": "probability"}),
        (Then(Siamese(3), torch.sigmoid), None, {"says": "logits"}),
        (Then(Siamese(3), lambda x: x.argmax(1)), None, {"says": None}),
        (Siamese(1, fraction=4), None, {"multiple": 4}),
        (Stacked(Siamese()), (torch.rand(1, 6, 32, 32),), {"says": "logits", "multiple": 1}),
        (Eight(Siamese()), (torch.zeros(1, 3, 9, 9, dtype=torch.uint8),) * 2, {"scale": None}),
    ],
    ids=["sigmoid", "softmax", "sigmoids", "labels", "quarter", "stacked", "8-bit"],
)
def test_probes_tell_kinds_apart(
    module: nn.Module,
    pictures: tuple[torch.Tensor, ...] | None,
    expected: dict[str, object],
    tmp_path: Path,
) -> None:
    found = probe(outlined(export(module, tmp_path / "net.onnx", pictures)))
    assert {name: getattr(found.options, name) for name in expected} == expected


def test_what_is_said_is_not_guessed(tmp_path: Path) -> None:
    said = {**SAID, "scale": 1, "threshold": 0.2}
    path = export(Siamese(), tmp_path / "net.onnx", said=said)
    (tmp_path / "net.onnx.yaml").write_text("threshold: 0.4")
    found = probe(outlined(path))
    assert found.guessed == ()
    assert (found.options.scale, found.options.threshold) == (1, 0.4)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("scle: 3", "net.onnx.yaml: no option scle; there are inputs, bands"),
        ("scale: 0", "net.onnx.yaml: scale 0: input should be greater than 0"),
        ("says: perhaps", "net.onnx.yaml: says perhaps: input should be 'probability'"),
        ("mean: [1, 2]", "net.onnx: takes 3 bands of a date; mean has 2 numbers"),
        ("std: [0, 1, 1]", "numbers must be above 0"),
        ("bands: [a, b]", "net.onnx: takes 3 bands of a date; bands names 2"),
        ("output: there", "net.onnx: has no output 'there'; it has out"),
        ("before: out", "name both outputs with classes, before and after"),
        ("- a", "net.onnx.yaml: not a list of options by name"),
    ],
)
def test_a_wrong_description_is_refused_in_one_line(text: str, line: str, tmp_path: Path) -> None:
    path = export(Siamese(), tmp_path / "net.onnx", said=SAID)
    (tmp_path / "net.onnx.yaml").write_text(text)
    code, said = show(str(path))
    assert code != 0 and line in said and "\n" not in said


def test_write_is_for_networks_of_onnx(tmp_path: Path) -> None:
    assert "--write: changeclip-small describes itself" in show("changeclip-small", "--write")[1]


def test_a_folder_of_weights_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOCHANGE_WEIGHTS", str(tmp_path))
    export(Siamese(), tmp_path / "a.onnx", said=SAID)
    export(Siamese(), tmp_path / "b.onnx")
    (tmp_path / "c.onnx").write_bytes(b"none")
    said = CliRunner().invoke(cli, ["weights", "list"]).output
    assert "a.onnx" in said and "ONNX network, 3 bands of a date, says logits" in said
    assert "nobody says its scale, says" in said and "cannot be used: no ONNX file" in said
