"""The README and the pages of docs/, and the commands in them."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import click

from geochange.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands_of(page: Path) -> list[str]:
    """The lines of its bash blocks, with continuation lines joined."""
    blocks = re.findall(r"```bash\n(.*?)\n```", page.read_text(), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def pipeline_command(path: Path) -> click.Command:
    """The command of a pipeline's file."""
    command = runpy.run_path(str(path))[path.stem]
    assert isinstance(command, click.Command)
    return command


def words_of(line: str) -> tuple[str, list[str]]:
    """The program of a line, geochange or a pipeline's file, and its arguments."""
    words = shlex.split(line)
    start = next(
        n for n, word in enumerate(words) if re.search(r"(geochange|pipelines/\w+\.py)$", word)
    )
    return words[start], words[start + 1 :]


def parsed(line: str) -> click.Context:
    """The click context of a line, for geochange or a pipeline."""
    name, rest = words_of(line)
    if name.endswith(".py"):
        return pipeline_command(ROOT / name).make_context(name, rest)
    command: click.Command = cli
    context: click.Context | None = None
    while isinstance(command, click.Group):
        # As in click: a command uses the help option names of the first context that creates it.
        context = click.Context(command, context, command.name, **command.context_settings)
        found = command.get_command(context, rest[0])
        assert found is not None, rest[0]
        command, rest = found, rest[1:]
    return command.make_context(command.name, rest, parent=context)
