"""The options of the command, read from `--help-json`: a new option appears by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from .errors import CommandError

FORMAT = 1
"""The form of --help-json that is understood."""

Number = Union[int, float]


@dataclass(frozen=True)
class Option:
    """An option of a command.

    kind: boolean, integer, number, string, path or folder. lowest, highest: that it may be.
    values: all that it may be. examples: some of them.
    """

    name: str
    flag: str
    kind: str
    default: Any = None
    help: str = ""
    group: str = ""
    lowest: Number | None = None
    highest: Number | None = None
    values: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    many: bool = False

    @property
    def title(self) -> str:
        """Its name as people read it."""
        return self.name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class CommandHelp:
    """What is known of all commands. told: of `geochange` and of each pipeline, as --help-json has it."""

    version: str
    told: Mapping[str, Any]

    def options(self, *command: str) -> list[Option]:
        """The options of a command, such as ("data", "chips"), or of a pipeline by its file."""
        return [
            _option(parameter)
            for parameter in self._entry(command).get("parameters", ())
            if parameter["kind"] == "option"
        ]

    def help(self, *command: str) -> str:
        """What a command does."""
        return str(self._entry(command).get("help", ""))

    def _entry(self, command: tuple[str, ...]) -> Mapping[str, Any]:
        first, rest = command[0], command[1:]
        entry = self.told.get(first) or self.told["geochange"]["commands"].get(first, {})
        for name in rest:
            entry = entry.get("commands", {}).get(name, {})
        return dict(entry)


def form_options(options: Iterable[Option], but: Iterable[str]) -> list[Option]:
    """The options that a form shows: all but some, by name."""
    left_out = set(but)
    return [option for option in options if option.name not in left_out]


def parse(texts: Mapping[str, str]) -> CommandHelp:
    """What --help-json printed, of `geochange` and of each pipeline. Raises CommandError."""
    told: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            told[name] = json.loads(text)
        except ValueError as error:
            raise CommandError(
                f"{name} --help-json: prints no JSON; install geochange again"
            ) from error
        if not isinstance(told[name], dict) or told[name].get("format") != FORMAT:
            raise CommandError(
                f"{name} --help-json: another form than this plugin knows; update the plugin"
            )
    return CommandHelp(str(told["geochange"]["version"]), told)


def save(manual: CommandHelp, file: Path) -> None:
    """Keep it for the next start of QGIS."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(manual.told), "utf-8")
    os.replace(part, file)


def load(file: Path) -> CommandHelp | None:
    """What was kept; None if there is nothing, or of another form."""
    try:
        told = json.loads(file.read_text("utf-8"))
        return parse({name: json.dumps(entry) for name, entry in told.items()})
    except (OSError, ValueError, KeyError, AttributeError, CommandError):
        return None


def _option(told: Mapping[str, Any]) -> Option:
    return Option(
        name=told["name"],
        flag=told["flags"][0],
        kind=told["type"],
        default=told["default"],
        help=told["help"],
        group=told["group"],
        lowest=told.get("minimum", told.get("exclusiveMinimum")),
        highest=told.get("maximum", told.get("exclusiveMaximum")),
        values=tuple(told.get("enum", ())),
        examples=tuple(told.get("examples", ())),
        many=told["many"],
    )
