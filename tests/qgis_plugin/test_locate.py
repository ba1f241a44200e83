"""Where the command is: named, installed by the plugin, or on the path; else the cure is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from geochange_plugin.command.errors import SetupError
from geochange_plugin.command.locate import (
    ENVIRONMENT,
    VARIABLE,
    done_file,
    find_command,
    python_of,
)


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_python_a_command_and_a_folder_can_be_named(tmp_path: Path) -> None:
    python = program(python_of(tmp_path / "my env"))
    script = program(python.with_name("geochange"))
    for named in (str(python), str(tmp_path / "my env")):
        found = find_command(named, tmp_path, {})
        assert found.words == (str(python), "-m", "geochange")
    found = find_command(f" {script} ", tmp_path, {})
    assert (found.words, found.python) == ((str(script),), str(python))
    assert found.script(Path("a.py")) == (str(python), "a.py")


def test_the_variable_comes_before_the_setting(tmp_path: Path) -> None:
    one, other = program(tmp_path / "one/python3"), program(tmp_path / "other/python3")
    found = find_command(str(one), tmp_path, {VARIABLE: str(other)})
    assert found.python == str(other)


def test_the_environment_of_the_plugin_counts_once_it_is_whole(tmp_path: Path) -> None:
    python = program(python_of(tmp_path / ENVIRONMENT))
    with pytest.raises(SetupError, match="not installed for QGIS yet; Settings > Options"):
        find_command("", tmp_path, {"PATH": ""})
    done_file(tmp_path).write_text("{}")
    assert find_command("", tmp_path, {"PATH": ""}).python == str(python)


def test_a_command_on_the_path_is_taken_last(tmp_path: Path) -> None:
    script = program(tmp_path / "bin" / "geochange")
    found = find_command("", tmp_path, {"PATH": str(script.parent)})
    assert found.words == (str(script),)
    with pytest.raises(SetupError, match="no Python lies beside it; name the Python"):
        found.script(Path("a.py"))


@pytest.mark.parametrize("named", ["/no/such/python", "no-such-command-at-all"])
def test_a_wrong_name_is_told_with_the_place_to_change_it(named: str, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=f"{named}: no such file; name another .* Settings"):
        find_command(named, tmp_path, {})
    with pytest.raises(SetupError, match="holds no Python"):
        find_command(str(tmp_path), tmp_path, {})
