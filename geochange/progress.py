"""Progress: functions that the library calls to report progress. It never prints."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as progress(stage, done, total), in pixels of the raster; done == total ends a stage."""

Watch = Callable[[str, int, int, str], None]
"""Called as watch(stage, done, total, note), for stages with a note besides the numbers."""


def no_progress(stage: str, done: int, total: int) -> None:
    """A Progress that does nothing."""


def with_note(watch: Watch, note: str) -> Progress:
    """A Progress that calls `watch` with a fixed note."""

    def progress(stage: str, done: int, total: int) -> None:
        watch(stage, done, total, note)

    return progress


def no_watch(stage: str, done: int, total: int, note: str) -> None:
    """A Watch that does nothing."""
