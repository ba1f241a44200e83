"""Every command of the README and the pages exists, with all its options."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from doc_pages import PAGES, ROOT, commands_of, parsed, pipeline_command

from geochange.cli.main import cli

SETUP = "python3 -m venv"


LINES = [
    pytest.param(line, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, line in enumerate(commands_of(page))
    if not line.startswith(SETUP)
]


@pytest.mark.parametrize("line", LINES)
def test_commands_have_the_options_that_are_shown(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("changes.gpkg", "drawn.gpkg"):
        (tmp_path / name).touch()
    (tmp_path / "DATA").mkdir()
    monkeypatch.setenv("CDPATH", str(tmp_path))
    parsed(line)


def test_there_are_commands() -> None:
    assert len(LINES) > 10


def test_every_pipeline_is_short_has_an_example_and_a_place_on_its_page() -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text()
    files = sorted((ROOT / "pipelines").glob("*.py"))
    assert len(files) == 4
    for file in files:
        assert len(file.read_text().splitlines()) <= 150, file.name
        assert f"python pipelines/{file.name}" in page
        command = pipeline_command(file)
        assert (command.epilog or "").startswith("Example: ") and command.help
        assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_errors_that_are_explained_are_raised() -> None:
    said = re.findall(r"^\| `(.+?)` \|", (ROOT / "docs" / "faq.md").read_text(), flags=re.MULTILINE)
    assert len(said) > 10
    source = "\n".join(path.read_text() for path in (ROOT / "geochange").rglob("*.py"))
    # Messages consist of literals over several lines.
    source = re.sub(r'"\s*\n\s*f?"', "", source)
    assert [words for words in said if words not in source] == []


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_stays_within_two_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def commands_in(group: click.Group) -> list[click.Command]:
    context, found = click.Context(group), list[click.Command]()
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands_in(command) if isinstance(command, click.Group) else [command]
    return found


def test_every_help_carries_an_example_that_parses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("SYSU-CD", "CHIPS", "DATA"):
        (tmp_path / folder).mkdir()
    (tmp_path / "changes.gpkg").touch()
    examples = {command.name: command.epilog or "" for command in commands_in(cli)}
    assert len(examples) > 12
    for name, example in examples.items():
        assert example.startswith("Example: "), name
        for line in re.split(r"   or,? ?[^:]*: ", example.removeprefix("Example: ")):
            parsed(line)
