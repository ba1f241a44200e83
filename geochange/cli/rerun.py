"""What giving a command again does, for those that do not go on by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from geochange.errors import RunError

AFRESH = "the same command again starts afresh"
"""Of commands that keep nothing of what they began."""


@contextmanager
def again(words: str) -> Iterator[None]:
    """Let an interruption of the body say these words; a fault of the body says its own cure.

    So does what the machine says no to: a full disk, memory that does not suffice.
    """
    try:
        yield
    except RunError as error:
        error.add_note("")
        raise
    except (KeyboardInterrupt, Exception) as error:
        error.add_note(words)
        raise


def words_of(error: BaseException) -> str:
    """What to do after an error that ended a command."""
    notes = (getattr(each, "__notes__", None) for each in (error, error.__cause__))
    said = next((note for note in notes if note), ["the same command again goes on where it was"])
    return str(said[0])
