"""Hints about the effect of repeating a command after an interruption or an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from geochange.errors import NotFiniteError, RunError

RESTART_HINT = "the same command again starts afresh"
"""For commands that keep nothing of unfinished work."""


@contextmanager
def with_hint(words: str) -> Iterator[None]:
    """Attach this hint to an interruption of the body, and to faults of the machine.

    Such a fault is a full disk or a lack of memory. Other errors have their own cure.
    """
    try:
        yield
    except RunError as error:
        error.add_note("")
        raise
    except (KeyboardInterrupt, Exception) as error:
        error.add_note(words)
        raise


def hint_of(error: BaseException) -> str:
    """The hint attached to an error."""
    if isinstance(error, NotFiniteError):
        return ""  # the same weights give the same
    notes = (getattr(each, "__notes__", None) for each in (error, error.__cause__))
    said = next((note for note in notes if note), ["the same command again goes on where it was"])
    return str(said[0])
