"""Options: frozen models with errors of one line that name the option."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from geochange.errors import OptionError


class Options(BaseModel):
    """Options that are validated once; an unknown name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Validate options given by name. Raises OptionError with one line."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise OptionError(first_error(error, cls)) from error


def first_error(error: ValidationError, options: type[BaseModel], sign: str = "--") -> str:
    """The first error in one line; `sign` stands before the name of the option."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        section = _section(options, place[:-1])
        return f"no option {'.'.join(place)}; there are {', '.join(section.model_fields)}"
    if not place:
        return message
    if first["type"] == "value_error" and isinstance(first["input"], (Mapping, BaseModel)):
        # The message of a whole section names its options itself.
        return message
    if first["type"].startswith("model_"):
        inner = _section(options, place)
        name = ".".join(place)
        return f"{sign}{name} is a section; set options in it, such as {name}.{_first(inner)}"
    name = sign + ".".join(place)
    return f"{name.replace('_', '-') if sign else name} {first['input']}: {_lower(message)}"


def _first(options: type[BaseModel]) -> str:
    """The name of one existing option."""
    return next(iter(options.model_fields))


def _section(options: type[BaseModel], place: list[str]) -> type[BaseModel]:
    """The options class at a place in nested options, or in lists of options."""
    for name in place:
        field = options.model_fields.get(name)
        listed = get_args(field.annotation) if field else ()
        kind = listed[0] if listed and isinstance(listed[0], type) else field and field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            options = kind
    return options


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
