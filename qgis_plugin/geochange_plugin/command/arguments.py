"""The words of a command, from the values of a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import PluginError
from .options import Option


def words_of(options: Iterable[Option], values: Mapping[str, Any]) -> list[str]:
    """The options that differ from their defaults, as words. values: by name; None is not said."""
    words: list[str] = []
    for option in options:
        value = values.get(option.name)
        if option.kind == "boolean":
            words += [option.flag] if value else []
            continue
        for each in value if option.many and isinstance(value, (list, tuple)) else [value]:
            if each is not None and each != "" and each != option.default:
                # One word: a value may begin with a dash.
                words.append(f"{option.flag}={_text(each)}")
    return words


def settings_of(options: Iterable[Option], values: Mapping[str, Any]) -> list[str]:
    """The same for a pipeline that passes them on: --set NAME=VALUE."""
    settings = []
    for option in options:
        value = values.get(option.name)
        if value is not None and value != "" and value != option.default:
            settings.append(f"--set={option.name}={_text(value)}")
    return settings


def bands_of(before: Sequence[int], after: Sequence[int]) -> str | None:
    """The bands to compare, as --bands has them: 4,3,2 or 4,3,2:3,2,1; None where none is chosen.

    Raises PluginError where a different number is chosen for each date.
    """
    if not before and not after:
        return None
    first, second = list(before or after), list(after or before)
    if len(first) != len(second):
        raise PluginError(
            f"{len(first)} bands are chosen before and {len(second)} after; choose as many of each"
        )
    texts = [",".join(map(str, bands)) for bands in (first, second)]
    return texts[0] if texts[0] == texts[1] else ":".join(texts)


def command_words(
    start: Sequence[str], options: Sequence[str], operands: Sequence[str]
) -> list[str]:
    """A whole command that tells its progress as JSON."""
    return [*start, "--log-json", *options, "--", *operands]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
