"""How the library says where it is: a callable, never a print."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as progress(stage, done, total), in pixels of the raster; done == total ends a stage."""

Watch = Callable[[str, int, int, str], None]
"""Called as watch(stage, done, total, note), where there is something to say beside the numbers."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress for those who do not look."""


def noted(watch: Watch, note: str) -> Progress:
    """A progress that tells a watch, always with the same note."""

    def progress(stage: str, done: int, total: int) -> None:
        watch(stage, done, total, note)

    return progress


def unwatched(stage: str, done: int, total: int, note: str) -> None:
    """A watch for those who do not look."""
