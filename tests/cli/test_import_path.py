"""Modules in the current folder are never imported by a command or its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from decoy_modules import command_words, executed_decoys, start, write_decoys
from pipeline_runs import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(pair_paths: tuple[Path, Path]) -> Path:
    """A folder of data, with a pair and decoys in it."""
    write_decoys(pair_paths[0].parent)
    return pair_paths[0].parent


@pytest.fixture
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts")


ENVIRONMENT = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "PYTHONSAFEPATH")}


@pytest.mark.parametrize("how", ["script", "module"])
def test_a_command_runs_nothing_of_it(how: str, folder: Path, scripts: Path) -> None:
    words = [*command_words(how, scripts), "check", "before.tif", "after.tif"]
    assert "before" in start(words, folder, ENVIRONMENT)
    assert executed_decoys(folder) == []


LIBRARY = """
from pathlib import Path
import geochange
import beside

if __name__ == "__main__":
    geochange.detect("before.tif", "after.tif", "c.gpkg", model="cva", workers=1)
    import os
    assert "PYTHONSAFEPATH" not in os.environ
"""
"""A user's script that imports another script beside it."""


def test_worker_processes_of_a_script_elsewhere_run_nothing_of_it(
    folder: Path, scripts: Path
) -> None:
    (scripts / "mine.py").write_text(LIBRARY)
    (scripts / "beside.py").write_text("import sys\n")
    start([sys.executable, str(scripts / "mine.py")], folder, ENVIRONMENT)
    assert (folder / "c.gpkg").exists()
    assert executed_decoys(folder) == []


PIPELINE = """
import subprocess, sys
import click
import geochange

@click.command()
def mine():
    import beside
    if "again" not in sys.argv:  # as training on several devices starts itself again
        subprocess.run([sys.executable, *sys.orig_argv[1:], "again"], check=True)
    click.echo("beside")

mine.params.append(click.Argument(["words"], nargs=-1))
mine.callback = lambda words, call=mine.callback: call()

if __name__ == "__main__":
    geochange.run_command(mine)
"""


def test_a_script_that_is_started_again_finds_what_lies_beside_it(
    folder: Path, scripts: Path
) -> None:
    (scripts / "mine.py").write_text(PIPELINE)
    (scripts / "beside.py").touch()
    said = start([sys.executable, str(scripts / "mine.py")], folder, ENVIRONMENT)
    assert said.split() == ["beside", "beside"]
    assert executed_decoys(folder) == []


def test_a_folder_that_is_gone_is_refused_in_a_line(tmp_path: Path, scripts: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = command_words("script", scripts)
    shell = ["sh", "-c", f'rmdir "{gone}"; exec "$@"', "sh", *words, "--version"]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(shell, cwd=gone, env=environment, capture_output=True, text=True)
    line = "geochange: the current folder was deleted; change into another one (cd)\n"
    assert (done.returncode, done.stderr) == (2, line)


def test_a_checkout_that_is_not_installed_can_be_run_where_it_lies() -> None:
    assert "geochange" in start(command_words("module", ROOT), ROOT, ENVIRONMENT)
