"""Command options from the fields of an options class, so that names and defaults have one home."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Union, get_args, get_origin

import click
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

Command = Callable[..., Any]


def options_of(model: type[BaseModel]) -> Callable[[Command], Command]:
    """A decorator that gives a command an option for every field of `model`."""

    def decorate(command: Command) -> Command:
        for name, field in reversed(model.model_fields.items()):
            command = _option(name, field, _group_of(model, name))(command)
        return command

    return decorate


class GroupedOption(click.Option):
    """An option with its own heading in the help.

    schema: its limits and values, by the words of JSON Schema.
    """

    group = ""
    schema: Mapping[str, Any] = MappingProxyType({})


class GroupedCommand(click.Command):
    """A command whose help lists its options by heading, first those without one."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            line = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if line is not None:
                groups.setdefault(getattr(param, "group", ""), []).append(line)
        for title, lines in [("Options", groups.pop("", [])), *groups.items()]:
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)


def given_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of the current command that the user gave; the others keep their defaults."""
    context = click.get_current_context()
    by_default = click.core.ParameterSource.DEFAULT
    return {
        name: value
        for name, value in options.items()
        if context.get_parameter_source(name) is not by_default
    }


def _group_of(model: type[BaseModel], name: str) -> str:
    """The heading of the class that defines the option first."""
    owner = next(c for c in reversed(model.__mro__) if name in inspect.get_annotations(c))
    return str(vars(owner).get("help_group", ""))


def _option(name: str, field: FieldInfo, group: str) -> Callable[[Command], Command]:
    kind = _plain_type(field.annotation)
    flags = [f"--{also.replace('_', '-')}" for also in _names(name, field)]
    under = type("Option", (GroupedOption,), {"group": group, "schema": _schema(field)})
    if kind is bool:
        return click.option(
            *flags, name, cls=under, is_flag=True, default=field.default, help=field.description
        )
    return click.option(
        *flags,
        name,
        cls=under,
        type=_Number(_schema(field).get("maximum") == 1) if kind is float else kind,
        default=field.default,
        show_default=field.default is not None,
        metavar=_metavar(kind),
        help=field.description,
    )


LEAST_PERCENT = 10
"""From here on a number that should be a share is taken for a percentage."""

LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""Limits as pydantic calls them, and as JSON Schema does."""


def _schema(field: FieldInfo) -> dict[str, Any]:
    """What a field says of its values: limits, all of them (enum), or some of them (examples)."""
    limits = {
        word: getattr(limit, name)
        for limit in field.metadata
        for name, word in LIMITS.items()
        if hasattr(limit, name)
    }
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return {**limits, **extra, **({"examples": field.examples} if field.examples else {})}


class _Number(click.types.FloatParamType):
    """A number. A decimal comma, and a percentage for a share, are told with the number that is meant."""

    def __init__(self, is_share: bool) -> None:
        self.is_share = is_share

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. Fails for other texts."""
        meant = self._meant(value) if isinstance(value, str) else None
        if meant is None:
            return super().convert(value, param, ctx)
        what = "a number from 0 to 1" if self.is_share else "a number"
        return self.fail(f"{value!r} is not {what}; did you mean {meant:.15g}?", param, ctx)

    def _meant(self, text: str) -> float | None:
        """The number that a text means without being it; None if it is one, or means none."""
        plain = text.strip().removesuffix("%").rstrip().replace(",", ".")
        try:
            number = float(plain)
        except ValueError:
            return None
        if self.is_share and (text.strip().endswith("%") or number >= LEAST_PERCENT):
            number /= 100
        elif "," not in text or re.search(r",\d{3}$", text.strip()):  # 1,000 may be a thousand
            return None
        return number if not self.is_share or 0 <= number <= 1 else None


def _names(name: str, field: FieldInfo) -> list[str]:
    """The names of an option, that of the field first."""
    alias = field.validation_alias
    return [str(also) for also in alias.choices] if isinstance(alias, AliasChoices) else [name]


def _plain_type(annotation: Any) -> type:
    """`int` from `int | None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    kind: type = annotation
    return kind


def _metavar(kind: type) -> str:
    return {int: "N", float: "X", str: "TEXT"}[kind]
