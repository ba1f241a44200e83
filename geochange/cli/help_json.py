"""`--help-json`: the options of a command as JSON, for programs that show them in a form."""

from __future__ import annotations

import inspect
import json
from typing import Any

import click

from geochange import __version__

FLAG = "--help-json"

FORMAT = 1
"""Counts up when a reader of an earlier form would misread this one."""

TYPES: dict[type[Any], str] = {
    click.types.BoolParamType: "boolean",
    click.types.IntParamType: "integer",
    click.types.FloatParamType: "number",
    click.Path: "path",
}
"""Names of types, after JSON Schema where it has one; all others are text."""


def with_help_json(command: click.Command) -> click.Command:
    """The same command, which now has the option; a command that has it already stays as it is."""
    if all(FLAG not in param.opts for param in command.params):
        show = click.Option(
            [FLAG],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show,
            help="print these options as JSON",
        )
        command.params.append(show)
    return command


class DescribedGroup(click.Group):
    """A group whose commands have the option, too."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, with the option."""
        super().add_command(with_help_json(cmd), name)


def describe(command: click.Command, context: click.Context) -> dict[str, Any]:
    """A command, its parameters and, of a group, all its commands, as plain JSON."""
    told: dict[str, Any] = {
        "command": context.command_path,
        "help": inspect.cleandoc(command.help or ""),
        "example": command.epilog or "",
        "parameters": [_parameter(param) for param in command.params if not param.is_eager],
    }
    if isinstance(command, click.Group):
        told["commands"] = {}
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                told["commands"][name] = describe(inner, click.Context(inner, context, name))
    return told


def _show(context: click.Context, _: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        told = {"format": FORMAT, "version": __version__, **describe(context.command, context)}
        click.echo(json.dumps(told, ensure_ascii=False))
        context.exit()


def _parameter(param: click.Parameter) -> dict[str, Any]:
    """A parameter. Its keys for limits and values are those of JSON Schema."""
    info = param.to_info_dict()
    option = isinstance(param, click.Option)
    told: dict[str, Any] = {
        "name": param.name,
        "kind": "option" if option else "argument",
        "flags": list(param.opts) if option else [],
        "type": _type_of(param.type),
        "required": param.required,
        "many": bool(info["multiple"]) or param.nargs != 1,
        "default": _plain(info.get("default")),
        "help": getattr(param, "help", None) or "",
        "group": getattr(param, "group", ""),
    }
    if isinstance(param, click.Option) and not param.is_flag:
        told["metavar"] = param.make_metavar(click.Context(click.Command("")))
    return told | _limits(param.type) | getattr(param, "schema", {})


def _type_of(kind: Any) -> str:
    if isinstance(kind, click.Path):
        return "path" if kind.file_okay else "folder"
    found = (name for known, name in TYPES.items() if isinstance(kind, known))
    return next(found, "string")


def _limits(kind: Any) -> dict[str, Any]:
    if isinstance(kind, click.Choice):
        return {"enum": [str(choice) for choice in kind.choices]}
    if isinstance(kind, click.IntRange | click.FloatRange):
        ends = {"minimum": kind.min, "maximum": kind.max}
        return {name: value for name, value in ends.items() if value is not None}
    return {}


def _plain(value: Any) -> Any:
    """A default as JSON; a path is text."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value] or None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
