"""Unreadable areas: windows whose pixels cannot be read, described by file, grid and coordinates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from geochange.errors import RunError
from geochange.grid.common_ground import common_window
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.raster.reader import RasterInfo

MOST_LISTED = 3
"""The number of areas that a message names. The others are counted."""


@dataclass(frozen=True)
class UnreadableAreas:
    """The unreadable areas of each date: cells of a fixed lattice on the grid of the run."""

    before: tuple[Window, ...] = ()
    after: tuple[Window, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.before or self.after)

    def __or__(self, other: UnreadableAreas) -> UnreadableAreas:
        return UnreadableAreas.of({*self.before, *other.before}, {*self.after, *other.after})

    @classmethod
    def of(cls, before: Iterable[Window], after: Iterable[Window]) -> UnreadableAreas:
        """An instance from the cells of each date, in any order."""
        return cls(tuple(sorted(before, key=_corner)), tuple(sorted(after, key=_corner)))

    def merged(self) -> UnreadableAreas:
        """The same areas in fewer windows."""
        return UnreadableAreas(merge_windows(self.before), merge_windows(self.after))

    def to_json(self) -> dict[str, list[list[int]]]:
        """[row, col, height, width] of each window, by date."""
        return {
            name: [[w.row, w.col, w.height, w.width] for w in windows]
            for name, windows in (("before", self.before), ("after", self.after))
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> UnreadableAreas:
        """The inverse of `to_json`."""
        return cls(*(tuple(Window(*numbers) for numbers in values[n]) for n in ("before", "after")))


NOTHING_UNREADABLE = UnreadableAreas()


class UnreadableError(RunError):
    """Pixels cannot be read. The message says where; `unreadable` holds the areas if they are known."""

    def __init__(self, message: str, unreadable: UnreadableAreas = NOTHING_UNREADABLE) -> None:
        super().__init__(message, unreadable)
        self.unreadable = unreadable

    def __str__(self) -> str:
        return str(self.args[0])


def _corner(window: Window) -> tuple[int, int]:
    return window.row, window.col


def merge_windows(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Cells of one lattice without duplicates, joined with neighbours, sorted by position."""
    rows = _join_neighbours(
        sorted(set(windows), key=lambda w: (w.row, w.height, w.col)), down=False
    )
    columns = _join_neighbours(sorted(rows, key=lambda w: (w.col, w.width, w.row)), down=True)
    return tuple(sorted(columns, key=_corner))


def _join_neighbours(windows: list[Window], down: bool) -> list[Window]:
    """The windows, each joined with the previous one if both form a rectangle."""
    joined: list[Window] = []
    for window in windows:
        last = joined[-1] if joined else None
        if last is None or window != _next_window(last, window, down):
            joined.append(window)
        elif down:
            joined[-1] = Window(last.row, last.col, last.height + window.height, last.width)
        else:
            joined[-1] = Window(last.row, last.col, last.height, last.width + window.width)
    return joined


def _next_window(last: Window, window: Window, down: bool) -> Window:
    """The window next to `last` that would extend it by the length of `window`."""
    if down:
        return Window(last.row_stop, last.col, window.height, last.width)
    return Window(last.row, last.col_stop, last.height, window.width)


def describe_windows(info: RasterInfo, grid: Grid, windows: Iterable[Window]) -> list[str]:
    """A text for each window: the file, the pixels in it and on the grid, and the map coordinates."""
    return [_place(info, grid, window) for window in windows]


def _place(info: RasterInfo, grid: Grid, window: Window) -> str:
    source = common_window(info.grid, [grid.crop(window)]) or info.grid.full_window
    x, y = grid.transform @ (window.col + window.width / 2, window.row + window.height / 2)
    digits = 10 if grid.crs.is_projected else 9
    on_grid = "" if source == window else f"{_span(window)} of the run's grid, "
    return (
        f"{info.path}: pixels of {_span(source)} cannot be read ({on_grid}around "
        f"{x:.{digits}g} {y:.{digits}g} in {grid.crs.name})"
    )


def _span(window: Window) -> str:
    return f"rows {window.row}-{window.row_stop - 1}, columns {window.col}-{window.col_stop - 1}"


def summarise(places: list[str]) -> str:
    """The first areas and the number of the others, in one line."""
    more = f" (and {len(places) - MOST_LISTED} more places)" if len(places) > MOST_LISTED else ""
    return "; ".join(places[:MOST_LISTED]) + more
