"""How the library says where it is: a callable, never a print."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as progress(stage, done, total), in pixels of the raster; done == total ends a stage."""

STAGES = ("infer", "polygons", "write")
"""Stages in the order in which they end; `infer` and `polygons` run side by side."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress for those who do not look."""
