"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geochange.errors import OutputError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Lend a path to write to, which becomes `path` at the end, or nothing if the body raises.

    Raises OutputError where it cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        yield aside
        aside.replace(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text. Raises OutputError."""
    with atomic_path(path) as aside:
        aside.write_text(text, "utf-8")
