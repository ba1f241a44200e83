"""Progress: functions that the library calls to report progress. It never prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from geochange.storage.traffic import Traffic

Progress = Callable[[str, int, int], None]
"""Called as progress(stage, done, total), in pixels of the raster; done == total ends a stage.

It may have a method `show_blocks(figures)`, which gets BlockFigures about once a second.
"""

Watch = Callable[[str, int, int, str], None]
"""Called as watch(stage, done, total, note), for stages with a note besides the numbers."""


@dataclass(frozen=True)
class BlockFigures:
    """How far the blocks of tiles of a run are, over all its workers.

    blocks_per_s: of the last minute; 0 until one is done. left_s: seconds until the last block; None if
    that is not known yet. workers: at the start of the run; 0 if threads of this process work. traffic:
    of all tasks that are done, output blocks included.
    """

    blocks_done: int
    blocks_total: int
    blocks_per_s: float
    left_s: float | None
    workers: int
    traffic: Traffic


@dataclass(frozen=True)
class CheckedProgress:
    """A Progress that calls `check` first, which may raise an error."""

    progress: Progress
    check: Callable[[], None]

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Check, and report the progress."""
        self.check()
        self.progress(stage, done, total)

    def show_blocks(self, figures: BlockFigures) -> None:
        """Check, and show figures."""
        self.check()
        show_blocks(self.progress, figures)


def show_blocks(progress: Progress, figures: BlockFigures) -> None:
    """Show figures of blocks, if the progress has the method for it."""
    show = getattr(progress, "show_blocks", None)
    if show is not None:
        show(figures)


def no_progress(stage: str, done: int, total: int) -> None:
    """A Progress that does nothing."""


def with_note(watch: Watch, note: str) -> Progress:
    """A Progress that calls `watch` with a fixed note."""

    def progress(stage: str, done: int, total: int) -> None:
        watch(stage, done, total, note)

    return progress


def no_watch(stage: str, done: int, total: int, note: str) -> None:
    """A Watch that does nothing."""
