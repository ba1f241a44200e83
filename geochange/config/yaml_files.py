"""YAML files that override defaults, `--set` that overrides files, and options written as YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from geochange.config.base import Options, first_error
from geochange.errors import InputError, OptionError

LARGEST_BYTES = 1_000_000
"""A larger file is not a file of options."""

_Read = TypeVar("_Read", bound=Options)


class _Loader(yaml.SafeLoader):
    """Loads plain values only; a duplicate key is an error, since one of the two would be lost."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping without duplicate keys."""
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]} occurs twice")
        return dict(super().construct_mapping(node, deep))

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node; aliases are refused, since a small file can expand to an endless one."""
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not supported")
        return super().compose_node(parent, index)


def read_options(
    kind: type[_Read],
    file: Path,
    overrides: Mapping[str, Any],
    usual: Mapping[str, Any] | None = None,
) -> _Read:
    """Options from a YAML file; `overrides`, by dotted name, take precedence.

    usual: values that the file may override. Raises InputError for a file that cannot be read,
    OptionError for its values.
    """
    values = {**(usual or {}), **_read_yaml(file)}
    for name, value in overrides.items():
        _set_nested(values, name.split("."), value)
    try:
        return kind(**values)
    except ValidationError as error:
        where = _source_of_value(file, overrides, error.errors()[0]["loc"])
        raise OptionError(f"{where}: {first_error(error, kind, sign='')}") from error


def parse_options(kind: type[_Read], text: str, file: Path) -> _Read:
    """Options from the text of a YAML file. Raises as `read_options`."""
    try:
        return kind(**_parse_yaml(text, file))
    except ValidationError as error:
        raise OptionError(f"{file}: {first_error(error, kind, sign='')}") from error


def parse_setting(text: str) -> tuple[str, Any]:
    """`optim.lr=1e-4` as a dotted name and a value of YAML. Raises OptionError."""
    name, sign, value = text.partition("=")
    if not sign or not all(name.split(".")):
        raise OptionError(f"--set {text}: write it as NAME=VALUE, such as optim.lr=1e-4")
    try:
        return name, yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise OptionError(f"--set {text}: {value!r} is not a YAML value") from error


def to_yaml(options: Options) -> str:
    """Every option with its value and meaning, as YAML that reads back the same."""
    return "\n".join(_lines(options, 0)) + "\n"


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{file}: too large for a file of options; is it another one?")
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        cure = "name a YAML file of options"
        if isinstance(error, PermissionError):
            cure = "change its access rights (chmod u+r)"
        elif isinstance(error, FileNotFoundError) and (near := _nearby(file)):
            cure = f"did you mean {near}?"
        raise InputError(f"{file} cannot be read ({reason}); {cure}") from error
    return _parse_yaml(text, file)


def _nearby(file: Path) -> Path | None:
    """A file of options that exists under a name like this: with its suffix, or in configs/."""
    named = file.with_name(f"{file.name}.yaml") if file.suffix == "" else file
    places = (named, Path("configs") / named.name)
    return next((place for place in places if place != file and place.is_file()), None)


def _parse_yaml(text: str, file: Path) -> dict[str, Any]:
    try:
        values = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{file}: not valid YAML ({' '.join(str(error).split())})") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"{file}: not a list of options by name, such as optim: {{lr: 1e-4}}")
    return values


def _source_of_value(file: Path, overrides: Mapping[str, Any], place: Sequence[Any]) -> str:
    """The source of a value in an error: the file, `--set`, or both."""
    wrong = ".".join(map(str, place))
    if any(f"{wrong}.".startswith(f"{name}.") for name in overrides):
        return "--set"
    beside = [name for name in overrides if not wrong or name.startswith(f"{wrong}.")]
    return f"{file} and --set {', '.join(beside)}" if beside else str(file)


def _set_nested(values: dict[str, Any], place: Sequence[str], value: Any) -> None:
    for part in place[:-1]:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise OptionError(f"--set {'.'.join(place)}: {part} is not a section")
        values = inner
    values[place[-1]] = value


def _lines(options: BaseModel, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:  # {(type(value).__doc__ or '').splitlines()[0]}"
            yield from _lines(value, depth + 1)
        else:
            yield f"{indent}{name}: {_inline_yaml(value)}  # {field.description}"


def _inline_yaml(value: Any) -> str:
    """A value on one line, as YAML reads it back."""
    plain = dict(value) if isinstance(value, Mapping) else value
    plain = list(plain) if isinstance(plain, tuple) else plain
    text = yaml.safe_dump(plain, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip()
