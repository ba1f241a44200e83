"""A fixed grid of cells. Reading by cells gives the same pixels for every window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geochange.chip import Pixels
from geochange.grid.tiling import Window
from geochange.raster.valid_pixels import Valid

MAX_CELL_PX = 1024
"""A window is widened to whole cells only along axes on which cells are at most this long."""

PixelsAndMask = tuple[Pixels, Valid]
"""Pixels (height, width, band) of a window, and their validity (height, width)."""


def cells_touching(
    window: Window, size: tuple[int, int], origin: tuple[int, int], extent: Window
) -> Iterator[Window]:
    """The cells of `size`, counted from `origin`, that `window` touches, clipped to `extent`."""
    inside = window.intersection(extent)
    if inside is None:
        return
    for row in _starts(inside.row, inside.row_stop, size[0], origin[0]):
        for col in _starts(inside.col, inside.col_stop, size[1], origin[1]):
            cell = Window(row, col, *size).intersection(extent)
            if cell is not None:
                yield cell


def _starts(start: int, stop: int, size: int, origin: int) -> Iterable[int]:
    return range((start - origin) // size * size + origin, stop, size)


def expand_to_cells(window: Window, cells: Iterable[Window]) -> Window:
    """The window that covers all of the cells that a window touches.

    It does not grow along an axis with very long cells, because strips span the whole raster.
    """
    touched = list(cells)
    row, col = min(cell.row for cell in touched), min(cell.col for cell in touched)
    row_stop = max(cell.row_stop for cell in touched)
    col_stop = max(cell.col_stop for cell in touched)
    if max(cell.height for cell in touched) > MAX_CELL_PX:
        row, row_stop = window.row, window.row_stop
    if max(cell.width for cell in touched) > MAX_CELL_PX:
        col, col_stop = window.col, window.col_stop
    return Window(row, col, row_stop - row, col_stop - col)


def paste_window(answer: PixelsAndMask, window: Window, piece: Window, read: PixelsAndMask) -> None:
    """Copy the pixels of `piece` to their position in the pixels of `window`."""
    part = piece.intersection(window)
    if part is not None:
        place, source = part.within(window), part.within(piece)
        for whole, pixels in zip(answer, read, strict=True):
            whole[place] = pixels[source]
