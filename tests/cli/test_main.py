"""Errors of the command: one line with the cure, exit code 2, and no file left behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.shell_completion import BashComplete
from makers import make_raster, noise
from polygon_files import make_polygons, square
from pyproj import CRS

from geochange.cli.main import COMMANDS, _exit_code, cli


@pytest.fixture
def inputs(tmp_path: Path, pair_paths: tuple[Path, Path]) -> Path:
    """A folder of rasters, good and bad, and an empty folder `out`."""
    make_raster(tmp_path / "far.tif", noise((20, 30, 3)), crs=CRS.from_epsg(32615))
    whole = make_raster(tmp_path / "whole.tif", noise((200, 300, 3))).read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tif").write_text("no raster\n")
    (tmp_path / "empty.tif").touch()
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "tuned").mkdir()
    for name in ("last", "best"):
        (tmp_path / "tuned" / f"{name}.safetensors").touch()
    return tmp_path


REFUSED = {
    "cut off": ("before.tif cut.tif", "cut off"),
    "text named .tif": ("text.tif after.tif", "not a raster"),
    "empty file": ("before.tif empty.tif", "empty"),
    "missing file": ("before.tif nowhere.tif", "no such file"),
    "folder": ("folder.tif after.tif", "is a folder"),
    "disjoint": ("before.tif far.tif", "no common ground"),
    "band that is not there": ("before.tif after.tif --bands 3,4,5", "no band 4"),
    "bands that are no numbers": ("before.tif after.tif --bands red", "not a list of band numbers"),
    "uneven bands": ("before.tif after.tif --bands 1,2:3", "the same number for both"),
    "unknown suffix": ("before.tif after.tif --out out/x.shp", ".gpkg"),
    "missing folder": ("before.tif after.tif --out nowhere/x.gpkg", "create it"),
    "unwritable folder": ("before.tif after.tif --out /proc/x.gpkg", "cannot write"),
    "over an input": ("before.tif after.tif --out before.gpkg", "would overwrite"),
    "unknown model": ("before.tif after.tif --model best", "choose changeclip-small, cva"),
    "model that cannot be imported": ("before.tif after.tif --model no.such:Thing", "imported"),
    "model that is none": ("before.tif after.tif --model os:getcwd", "is not a ChangeModel"),
    "model that wants more": ("before.tif after.tif --model json:dumps", "takes no arguments"),
    "overlap too large": ("before.tif after.tif --tile 64 --overlap 64", "does not fit"),
    "threshold beyond 1": ("before.tif after.tif --threshold 2", "--threshold"),
    "threshold in per cent": ("before.tif after.tif --threshold 60", "did you mean 0.6?"),
    "threshold with its sign": ("before.tif after.tif --threshold 70%", "did you mean 0.7?"),
    "decimal comma": ("before.tif after.tif --threshold 0,6", "did you mean 0.6?"),
    "thousands": ("before.tif after.tif --min-area 1,000", "'1,000' is not a valid float"),
    "long number with a comma": ("before.tif after.tif --min-area 1234567,5", "mean 1234567.5?"),
    "output of nobody": ("before.tif after.tif --out ~nobodyx/x.gpkg", "there is no such user"),
    "home of nobody": ("before.tif after.tif --model ~nobodyx/x", "~nobodyx/x: not known"),
    "area with a comma": ("before.tif after.tif --min-area 2,5", "a number; did you mean 2.5?"),
    "folder of a training": ("before.tif after.tif --model tuned", "tuned/best.safetensors"),
    "negative area": ("before.tif after.tif --min-area -1", "--min-area"),
    "area that is no number": ("before.tif after.tif --min-area many", "--min-area"),
    "unknown taper": ("before.tif after.tif --taper round", "choose hann"),
    "stretch upside down": ("before.tif after.tif --stretch 9,1", "below HIGH"),
    "grid that is not there": ("before.tif after.tif --grid nowhere.tif", "no such file"),
    "unknown option": ("before.tif after.tif --frobnicate", "--frobnicate"),
    "one raster": ("before.tif", "AFTER"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED)
def test_refusals(
    case: str, inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words, said = REFUSED[case]
    monkeypatch.chdir(inputs)
    there = sorted(inputs.rglob("*"))
    arguments = ["run", *words.split()]
    if "--out" not in arguments:
        arguments += ["--out", "out/x.gpkg"]
    if "--model" not in arguments:
        arguments += ["--model", "cva"]
    assert _exit_code(arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert said in captured.err
    assert sorted(inputs.rglob("*")) == there, "something was left behind"


MEANT = {
    "runn before.tif after.tif": "No such command 'runn'; did you mean run? (see geochange --help)",
    "data chip before.tif": "No such command 'chip'; did you mean chips? (see geochange data --help)",
    "nothing before.tif": "No such command 'nothing'. (see geochange --help)",
    "run before.tif after.tif out/x.gpkg --quiet": "Missing option '--out'; did you mean "
    "--out out/x.gpkg? (see geochange run --help)",
    "run before.tif after.tif": "Missing option '--out'. (see geochange run --help)",
    "polygonize drawn.gpkg": "drawn.gpkg: holds polygons; give the probability of the run, drawn.tif",
    "polygonize nowhere.gpkg": "nowhere.gpkg: no such file; check the path",
    "preview before.tif": "before.tif: is a raster; give the polygons of the run, before.gpkg",
    "evaluate cva chips": "--split test: chips has val; add --split val",
    "train finetune": "finetune cannot be read (No such file or directory); did you mean "
    "configs/finetune.yaml?",
    "train tune": "tune cannot be read (No such file or directory); name a YAML file of options",
    "demo --out /proc/x": "/proc/x cannot be made (No such file or directory): name another place",
}


@pytest.mark.parametrize("words", MEANT)
def test_what_is_meant_is_named(
    words: str, inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(inputs)
    make_polygons(inputs / "drawn.gpkg", [square(1, 1, 4)])
    (inputs / "chips" / "val" / "A").mkdir(parents=True)
    (inputs / "configs").mkdir()
    (inputs / "configs" / "finetune.yaml").touch()
    assert _exit_code(words.split()) == 2
    said = capfd.readouterr().err.replace(f"{inputs}/", "")
    assert said == f"geochange: {MEANT[words]}\n"


def test_an_empty_name_is_said_to_be_one(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(inputs)
    assert _exit_code(["run", "", "after.tif", "--out", "out/x.gpkg"]) == 2
    assert capfd.readouterr().err == "geochange: an empty text names no raster; name its file\n"


@pytest.mark.slow
def test_a_scheduler_that_is_not_there(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("geochange.cluster.dask_jobs.CONNECT_S", 1)
    monkeypatch.chdir(inputs)
    words = "run before.tif after.tif --out out/x.gpkg --quiet --scheduler tcp://127.0.0.1:9"
    assert _exit_code(words.split()) == 2
    assert "does not answer" in capfd.readouterr().err
    assert not list((inputs / "out").iterdir())


@pytest.mark.parametrize("command", [[], ["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_ends_with_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(command) == 0
    shown = capsys.readouterr().out
    assert "geochange" in shown.splitlines()[0]
    last = shown.strip().splitlines()[-3:]
    assert "geochange " in " ".join(last)


@pytest.mark.slow
def test_json_lines_and_quiet(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(inputs)
    run = "run before.tif after.tif --out out/x.geojson --min-area 0 --model cva"
    assert _exit_code([*run.split(), "--log-json"]) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert events[-1]["event"] == "result"
    assert Path(events[-1]["out"]) == inputs / "out" / "x.geojson"
    stages = {event["stage"] for event in events[:-1] if event["event"] != "blocks"}
    assert stages == {"infer", "polygons", "write"}
    assert _exit_code([*run.split(), "--quiet"]) == 0
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    names = {path.name for path in (inputs / "out").iterdir()}
    assert names == {"x.geojson", "x.tif", "x.html", "x.stac.json"}


@pytest.mark.slow
def test_nothing_changed_is_said(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(inputs)
    assert (
        _exit_code(["run", "before.tif", "before.tif", "--out", "out/x.gpkg", "--model", "cva"])
        == 0
    )
    assert "Nothing changed" in capfd.readouterr().out


def test_a_fault_is_one_line_and_exit_1(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.delenv("GEOCHANGE_DEBUG", raising=False)
    monkeypatch.setattr("geochange.workflows.detect.run", fail)
    monkeypatch.chdir(inputs)
    assert (
        _exit_code(
            ["run", "before.tif", "after.tif", "--out", "out/x.gpkg", "--model", "cva", "--quiet"]
        )
        == 1
    )
    assert capfd.readouterr().err.startswith("geochange: fault: ZeroDivisionError: by zero")


def test_an_interrupt_says_how_to_go_on(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("geochange.workflows.detect.run", interrupt)
    monkeypatch.chdir(inputs)
    assert (
        _exit_code(
            ["run", "before.tif", "after.tif", "--out", "out/x.gpkg", "--model", "cva", "--quiet"]
        )
        == 130
    )
    assert "same command again" in capfd.readouterr().err


def in_fresh_process(code: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ
    )
    return answer.stdout


@pytest.mark.slow
def test_help_and_refusals_load_neither_torch_nor_dask() -> None:
    code = (
        "import sys\n"
        "from geochange.cli.main import _exit_code\n"
        "_exit_code(['--help']); light = 'numpy' not in sys.modules\n"
        "_exit_code(['run', 'a.tif', 'b.tif', '--out', 'c.gpkg', '--model', 'cva'])\n"
        "print(light, 'torch' in sys.modules, 'distributed' in sys.modules)"
    )
    assert in_fresh_process(code).splitlines()[-1] == "True False False"


@pytest.mark.slow
def test_demo_finds_what_it_planted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert _exit_code(["demo", "--out", str(tmp_path / "demo"), "--size", "700"]) == 0
    shown = capfd.readouterr().out
    for kind, missed in (("building", 1), ("road", 0), ("felled", 1), ("drained", 1)):
        row = next(line for line in shown.splitlines() if kind in line)
        planted, found = (int(cell) for cell in row.replace("│", " ").split()[1:3])
        assert found >= planted - missed and planted > 0
    assert int(re.search(r"(\d+)% of the area found lies on planted", shown)[1]) > 50
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    made = {"before.tif", "after.tif", "planted.geojson"}
    written = {f"changes.{suffix}" for suffix in ("gpkg", "tif", "html", "stac.json")}
    assert names == made | written
    assert np.unique([path.stat().st_size > 0 for path in (tmp_path / "demo").iterdir()]).all()


@pytest.mark.slow
def test_a_model_whose_answers_are_not_finite_is_one_line(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As of weights whose bytes were damaged in a file without a checksum."""
    monkeypatch.setattr("geochange.models.classical.STEEPNESS", float("nan"))
    monkeypatch.chdir(inputs)
    words = "run before.tif after.tif --out out/x.gpkg --model cva --quiet --skip-checks"
    assert _exit_code(words.split()) == 1
    said = capfd.readouterr().err
    assert said.startswith("geochange: model ") and said.count("\n") == 1
    assert "answered with numbers that are not finite" in said
    assert said.endswith("use other weights, or --precision float32\n")


def test_completion_of_an_unknown_command_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    complete = BashComplete(cli, {}, "geochange", "_GEOCHANGE_COMPLETE")
    complete.get_completions(["runn"], "--")
    assert capfd.readouterr() == ("", "")
