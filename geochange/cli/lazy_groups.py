"""Lazy groups: commands are imported when they are called, so that `--help` is fast."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches

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

        def resolve_command(
            self, ctx: click.Context, args: list[str]
        ) -> tuple[str | None, click.Command | None, list[str]]:
            # click looks for similar names among commands that are imported already.
            is_typed = not ctx.resilient_parsing  # completion must print nothing
            if (
                is_typed
                and args[0] not in commands
                and (near := get_close_matches(args[0], commands, 1))
            ):
                ctx.fail(f"No such command {args[0]!r}; did you mean {near[0]}?")
            return super().resolve_command(ctx, args)

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            # The table has the names and lines, so nothing is imported.
            with formatter.section("Commands"):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])

    return LazyGroup
