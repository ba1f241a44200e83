"""The README and the pages of docs/, and the commands that they show."""

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
    """The lines of its bash blocks, continued ones as one."""
    blocks = re.findall(r"```bash\n(.*?)\n```", page.read_text(), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def pipeline_command(path: Path) -> click.Command:
    """The command of a pipeline's file."""
    command = runpy.run_path(str(path))[path.stem]
    assert isinstance(command, click.Command)
    return command


def words_of(line: str) -> tuple[str, list[str]]:
    """Which program a line starts, geochange or a pipeline's file, and its words."""
    words = shlex.split(line)
    start = next(
        n for n, word in enumerate(words) if re.search(r"(geochange|pipelines/\w+\.py)$", word)
    )
    return words[start], words[start + 1 :]


def parsed(line: str) -> click.Context:
    """What click makes of a line: of geochange, or of a pipeline, whatever starts it."""
    name, rest = words_of(line)
    if name.endswith(".py"):
        return pipeline_command(ROOT / name).make_context(name, rest)
    command: click.Command = cli
    context: click.Context | None = None
    while isinstance(command, click.Group):
        # As click nests them: a command keeps the names of its help from the first it is seen in.
        context = click.Context(command, context, command.name, **command.context_settings)
        found = command.get_command(context, rest[0])
        assert found is not None, rest[0]
        command, rest = found, rest[1:]
    return command.make_context(command.name, rest, parent=context)
