"""The installation: its steps on each system, without a network, and going on after an end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from geochange_plugin.command.child import output_of
from geochange_plugin.command.errors import SetupError
from geochange_plugin.command.locate import is_installed, python_of
from geochange_plugin.setup.install import (
    CPU,
    CUDA,
    Plan,
    begin,
    candidates,
    cure_of,
    find_python,
    finish,
    note_done,
    package_of,
    reason_of,
    remaining_steps,
    steps_of,
)
from geochange_plugin.setup.report import anonymous, report_of


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    folder = tmp_path / "profile" / "geochange"
    return Plan(sys.executable, folder, "geochange", CPU, tmp_path / "constraints.txt")


@pytest.mark.parametrize(
    ("platform", "torch", "index"),
    [
        ("linux", CPU, "https://download.pytorch.org/whl/cpu"),
        ("linux", CUDA, None),
        ("win32", CPU, None),
        ("win32", CUDA, "https://download.pytorch.org/whl/cu130"),
        ("darwin", CPU, None),
        ("darwin", CUDA, None),
    ],
)
def test_wheels_of_torch(plan: Plan, platform: str, torch: str, index: str | None) -> None:
    words = steps_of(replace(plan, torch=torch), platform)[2].words
    assert ("--extra-index-url" in words) == (index is not None)
    assert index is None or index in words
    assert words[words.index("-c") + 1] == str(plan.constraints) and words[-1] == "geochange"


@pytest.mark.parametrize(
    ("platform", "machine", "torch", "named"),
    [
        ("linux", "x86_64", CPU, ["torch==2.14.1+cpu", "torchvision==0.29.1+cpu"]),
        ("win32", "AMD64", CUDA, ["torch==2.14.1+cu130", "torchvision==0.29.1+cu130"]),
        ("linux", "x86_64", CUDA, []),
        ("linux", "aarch64", CPU, []),
    ],
)
def test_the_build_of_torch_that_was_chosen_is_named(
    plan: Plan, platform: str, machine: str, torch: str, named: list[str]
) -> None:
    """Else pip takes the other one, of gigabytes, where the site of PyTorch cannot be reached."""
    plan.constraints.write_text("torch==2.14.1\ntorchmetrics==1.9.0\ntorchvision==0.29.1\n")
    words = steps_of(replace(plan, torch=torch), platform, machine)[2].words
    assert [word for word in words if word.startswith("torch")] == named


def test_what_is_installed_must_be_named(tmp_path: Path) -> None:
    """No name is looked for on PyPI unasked: it may be anybody's."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    assert package_of("", str(wheels)) == "geochange"
    assert package_of("geochange==0.2", "") == "geochange==0.2"
    with pytest.raises(SetupError, match="geochange from is empty; choose the folder"):
        package_of("", "")
    with pytest.raises(
        SetupError, match=r"wheels: has no pyproject\.toml; choose the folder of the"
    ):
        package_of(str(wheels), "")
    with pytest.raises(
        SetupError, match=r"gone: no such folder; choose the folder of wheels again"
    ):
        package_of("", str(tmp_path / "gone"))
    with pytest.raises(SetupError, match=r"gone\.whl: no such file or folder; choose"):
        package_of("gone.whl", "")
    (tmp_path / "pyproject.toml").touch()
    assert package_of(str(tmp_path), "") == str(tmp_path)


def test_a_folder_of_wheels_needs_no_network(plan: Plan) -> None:
    steps = steps_of(replace(plan, wheels="/media/wheels"))
    assert [step.title.split()[0] for step in steps] == ["Making", "Installing", "Checking"]
    assert {"--no-index", "--find-links", "/media/wheels"} <= set(steps[1].words)
    assert all("http" not in word for step in steps for word in step.words)


def test_it_goes_on_with_the_step_that_was_not_ended(plan: Plan) -> None:
    steps = steps_of(plan)
    begin(plan)
    note_done(plan, steps[0])
    assert remaining_steps(plan, steps) == steps  # the environment is gone
    python_of(plan.environment).parent.mkdir(parents=True)
    python_of(plan.environment).touch()
    assert remaining_steps(plan, steps) == steps[1:]
    note_done(plan, steps[1])
    assert remaining_steps(plan, steps) == steps[2:]
    other = steps_of(replace(plan, package="/wheels/geochange.whl"))
    assert remaining_steps(plan, other) == other[2:]
    for step in steps[2:]:
        note_done(plan, step)
    finish(plan)
    assert is_installed(plan.folder)
    begin(plan)
    assert not is_installed(plan.folder)


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("ERROR: No matching distribution found for geochange", "the folder of its source code"),
        ("ERROR: No matching distribution found for torch==2.14.1+cpu", "download.pytorch.org"),
        ("ERROR: Cannot install torch==2.14.1+cpu because these package", "download.pytorch.org"),
        ("ERROR: No matching distribution found for hatchling>=1.27", "connect to the network"),
        ("OSError: [Errno 28] No space left on device", "make room"),
        ("Temporary failure in name resolution", "choose a folder of wheels"),
        ("something else", "read the log"),
    ],
)
def test_a_failed_step_has_its_cure(line: str, cure: str) -> None:
    assert cure in cure_of(["Looking in indexes", line, ""])


def test_a_folder_of_wheels_has_cures_of_its_own() -> None:
    def cure(name: str) -> str:
        return cure_of([f"ERROR: No matching distribution found for {name}"], of_wheels=True)

    assert "the version of Python" in cure("rasterio==1.4.4")
    assert "leave geochange from empty" in cure("hatchling>=1.27")


def test_the_line_that_says_what_failed_is_told() -> None:
    lines = ["ERROR: No matching distribution found for a", "note: not a problem with pip.", ""]
    assert reason_of(lines) == lines[0]
    assert reason_of([*lines, "ERROR: ResolutionImpossible: for help visit"]) == lines[0]
    assert reason_of(["no venv", ""]) == "no venv"
    assert reason_of([]) == "no reason given"


def test_the_newest_python_that_works_is_found() -> None:
    def ask(words: Sequence[str]) -> str:
        if words[0] == sys.executable:
            raise SetupError("no venv")
        return {"python3.12": "3 12", "python3": "3 9"}.get(words[0], "3 9")

    assert find_python("", ask, {}) == "python3.12"
    assert find_python("python3.12", ask, {}) == "python3.12"
    with pytest.raises(SetupError, match=r"python3: is no Python 3.11 or later"):
        find_python("python3", ask, {})
    with pytest.raises(SetupError, match=r"install one from python.org .*python3-venv"):
        find_python("", lambda words: "3 9", {})


def test_the_python_of_these_tests_would_do() -> None:
    assert find_python(sys.executable, lambda words: output_of(words, {})) == sys.executable


def test_windows_asks_the_launcher_first() -> None:
    assert next(iter(candidates({}, "win32"))) == ["py", "-3.14"]


def test_a_report_says_nothing_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    import getpass
    import os

    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", "/home/ann"))
    text = report_of({"QGIS": "profile: /home/ann/.local", "Last error": ""})
    assert text == "## QGIS\nprofile: ~/.local\n\n## Last error\nnothing\n"
    assert anonymous(r"C:\Users\ann\x and /mnt/ann") == r"C:\Users\USER\x and /mnt/USER"
