"""The project's metadata agree in all files."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from geochange import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

CONDA_NAMES = {"torch": "pytorch"}
"""Packages with another name on conda-forge."""


def requirements(lines: list[str]) -> dict[str, Requirement]:
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


RUNTIME = requirements(PROJECT["dependencies"])
OPTIONAL = {
    name: requirement
    for lines in PROJECT["optional-dependencies"].values()
    for name, requirement in requirements(lines).items()
    if name != "geochange"
}
CONSTRAINTS = requirements((ROOT / "constraints.txt").read_text().split())


def conda_lines() -> list[str]:
    """The packages of environment.yml, without those that pip installs."""
    text = (ROOT / "environment.yml").read_text()
    listed = text.partition("dependencies:\n")[2]
    return re.findall(r"^  - ([^\s:]+)$", listed, flags=re.MULTILINE)


def test_conda_installs_the_same_set_with_the_same_floors() -> None:
    conda = requirements([line for line in conda_lines() if line != "pip"])
    python = conda.pop("python")
    assert python.specifier == Requirement(f"python{PROJECT['requires-python']}").specifier
    expected = {CONDA_NAMES.get(name, name): r.specifier for name, r in RUNTIME.items()}
    assert {name: requirement.specifier for name, requirement in conda.items()} == expected


def test_conda_adds_nothing_by_pip_but_geochange_itself() -> None:
    text = (ROOT / "environment.yml").read_text()
    assert text.rstrip().endswith("- pip:\n      - --no-deps .")


def test_constraints_name_a_tested_version_of_every_dependency() -> None:
    assert (RUNTIME | OPTIONAL).keys() - CONSTRAINTS.keys() == set()
    assert {str(tested.specifier)[:2] for tested in CONSTRAINTS.values()} == {"=="}


def test_tested_versions_are_within_the_bounds() -> None:
    tested = {name: str(found.specifier)[2:] for name, found in CONSTRAINTS.items()}
    wanted = RUNTIME | OPTIONAL
    assert [n for n in wanted if not wanted[n].specifier.contains(tested[n])] == []


def test_every_dependency_has_a_floor() -> None:
    wanted = RUNTIME | OPTIONAL
    assert [n for n in wanted if ">=" not in {s.operator for s in wanted[n].specifier}] == []


def test_every_runtime_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, flags=re.DOTALL | re.MULTILINE)
    assert block is not None
    lines = block[1].splitlines()
    assert len(lines) == len(RUNTIME)
    assert [line for line in lines if not re.search(r'",\s+# \S+ \S', line)] == []


def readme_commands() -> list[str]:
    readme = (ROOT / "README.md").read_text()
    return re.findall(r"```bash\n(.*?)\n```", readme, flags=re.DOTALL)


def test_the_first_two_commands_of_the_readme_are_the_whole_setup() -> None:
    install_and_run, install_and_test = readme_commands()[:2]
    for command in (install_and_run, install_and_test):
        assert "\n" not in command
        assert command.startswith(
            "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt"
        )
    assert install_and_run.endswith(".venv/bin/geochange demo")
    assert install_and_test.endswith(".venv/bin/python -m pytest -n 2")
    assert '".[test]"' in install_and_test


def test_ci_runs_the_test_command_of_the_readme() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    extract = re.search(r"^command=\$\((sed .*)\)$", ci, flags=re.MULTILINE)
    assert extract is not None
    shell = ["bash", "-euo", "pipefail", "-c"]
    told = subprocess.run(
        [*shell, extract[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == readme_commands()[1]
    assert 'bash -euo pipefail -c "$command"' in ci


def test_the_version_has_one_home_and_a_heading_in_the_changelog() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in PROJECT
    version = Version(__version__)
    heading = "Unreleased" if version.is_devrelease else __version__
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == heading


def test_the_licence_is_the_one_that_is_named() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    for name in PROJECT["license-files"]:
        assert "Apache License" in (ROOT / name).read_text()


def test_the_readme_names_options_that_exist() -> None:
    import click

    from geochange.cli.main import cli

    def options(command: click.Command) -> set[str]:
        own = {flag for option in command.params for flag in option.opts}
        if not isinstance(command, click.Group):
            return own
        context = click.Context(command)
        inner = (command.get_command(context, name) for name in command.list_commands(context))
        return own.union(*(options(found) for found in inner if found is not None))

    readme = (ROOT / "README.md").read_text()
    flags = set(re.findall(r"(?<![-\w])--[a-z][a-z-]*", readme))
    assert {"--out", "--resume"} <= flags
    of_installers = {"--extra-index-url", "--torch-backend"}
    assert flags - options(cli) - {"--help"} == of_installers
