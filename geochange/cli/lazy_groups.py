"""Lazy groups: commands are imported when they are called, so that `--help` is fast."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from geochange.cli.help_json import with_help_json

Commands = Mapping[str, tuple[str, str]]
"""By name: `package.module:attribute` of a command, and its line in the help of the group."""


def lazy_group(commands: Commands) -> type[click.Group]:
    """A group class that imports a command when it is called or its own help is shown."""

    class LazyGroup(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return list(commands)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            if cmd_name not in commands:
                return None
            module, _, attribute = commands[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return with_help_json(command)

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            # The table has the names and lines, so nothing is imported.
            with formatter.section("Commands"):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])

    return LazyGroup
