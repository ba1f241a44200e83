"""The process of a command: its streams, its current folder, and what libraries say of themselves."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, TextIO

from geochange.errors import one_line


def prepare() -> None:
    """Make the process fit for a command, wherever and however it was started."""
    _open_streams()
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # What GDAL says of a failure stands in the line that names it.
    logging.getLogger("rasterio").setLevel(logging.ERROR)
    warnings.showwarning = _show_warning
    sys.unraisablehook = partial(_show_unraisable, sys.unraisablehook)
    sys.excepthook = partial(_show_uncaught, sys.excepthook)


def _open_streams() -> None:
    """Open what was closed for this process (`<&-`): its place would go to the next file it opens.

    A library that then prints would print into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A library's warning as one line, without the place in its code."""
    logging.getLogger(__name__).warning("%s", one_line(message))


def _show_unraisable(usual: Callable[[Any], object], found: Any) -> None:
    """What cannot be raised, but for GDAL's words in other bytes than UTF-8.

    rasterio cannot pass them on to its log; the error that it raises beside holds them.
    """
    if isinstance(found.exc_value, UnicodeDecodeError) and "rasterio" in str(found.object):
        return
    usual(found)


def _show_uncaught(
    usual: Callable[..., object],
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """The same, for rasterio's callbacks print what they cannot raise in this way first.

    They have no place in Python, so no trace.
    """
    if not (isinstance(error, UnicodeDecodeError) and trace is None):
        usual(kind, error, trace)


SIGHUP, SIGPIPE = 1, 13
"""As numbers: Windows has neither."""


class PrintError(Exception):
    """What is printed reaches nobody; says why.

    It is no OSError, which those who write files would take for a fault of a file. signal: the
    number of the one that ends other programs in this case, SIGPIPE or SIGHUP; 0 for none.
    """

    def __init__(self, error: OSError, terminal: bool) -> None:
        super().__init__(error.strerror or str(error))
        hung_up = terminal and error.errno == errno.EIO
        self.signal = SIGPIPE if isinstance(error, BrokenPipeError) else SIGHUP * hung_up


class _Stream(io.TextIOWrapper):
    """A stream to print to. Raises PrintError.

    terminal: whether it is one; a terminal that is gone says that it is none.
    """

    terminal = False

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise self._given_up(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise self._given_up(error) from error

    def _given_up(self, error: OSError) -> PrintError:
        # What still waits to be printed goes nowhere; Python would try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
        return PrintError(error, self.terminal)


def _guarded(stream: TextIO | None) -> TextIO | None:
    """A stream that prints whatever its encoding, and says so where it cannot."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, buffered, terminal = stream.encoding, stream.line_buffering, stream.isatty()
    # Names of files and classes are printed whatever the terminal can show.
    guarded = _Stream(stream.detach(), encoding, "backslashreplace", line_buffering=buffered)
    guarded.terminal = terminal
    return guarded
