"""The process of a command: its streams, its current folder, and warnings of libraries."""

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
    """Prepare the process for a command, however it was started."""
    _open_streams()
    sys.stdout, sys.stderr = _guarded_stream(sys.stdout), _guarded_stream(sys.stderr)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # GDAL's messages about a failure are in the error itself.
    logging.getLogger("rasterio").setLevel(logging.ERROR)
    # PROJ prints by itself where GDAL's GeoTIFF driver asks it for units that no table holds.
    os.environ.setdefault("PROJ_DEBUG", "0")
    warnings.showwarning = _show_warning
    sys.unraisablehook = partial(_show_unraisable, sys.unraisablehook)
    sys.excepthook = partial(_show_uncaught, sys.excepthook)


def _open_streams() -> None:
    """Open streams that were closed for this process (`<&-`).

    Otherwise the next opened file would get the number of the stream, and a library that prints would
    write into that file.
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
    """A warning of a library as one line, without its position in the code.

    Those about a missing georeference are left out: rasterio gives them of inner files of a product,
    too, and geochange refuses a raster without one itself.
    """
    if category.__name__ == "NotGeoreferencedWarning":  # rasterio is not imported yet
        return
    logging.getLogger(__name__).warning("%s", one_line(message))


def _show_unraisable(usual: Callable[[Any], object], found: Any) -> None:
    """Show exceptions that cannot be raised, except for GDAL messages that are not UTF-8.

    rasterio cannot log these messages. The error that it also raises contains them.
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
"""Signal numbers, because Windows has neither."""


class PrintError(Exception):
    """The output cannot be printed.

    It is not an OSError, which writers of files would take for a fault of a file. signal: the signal
    that ends other programs in this case, SIGPIPE or SIGHUP; 0 for none.
    """

    def __init__(self, error: OSError, terminal: bool) -> None:
        super().__init__(error.strerror or str(error))
        hung_up = terminal and error.errno == errno.EIO
        self.signal = SIGPIPE if isinstance(error, BrokenPipeError) else SIGHUP * hung_up


class _Stream(io.TextIOWrapper):
    """A stream for output. Raises PrintError.

    terminal: whether it is a terminal. A closed terminal no longer reports that it is one.
    """

    terminal = False

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise self._print_error(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise self._print_error(error) from error

    def _print_error(self, error: OSError) -> PrintError:
        # Buffered output is discarded; otherwise Python would try to write it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
        return PrintError(error, self.terminal)


def _guarded_stream(stream: TextIO | None) -> TextIO | None:
    """A stream that prints any text whatever its encoding, and raises PrintError if it cannot."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, buffered, terminal = stream.encoding, stream.line_buffering, stream.isatty()
    # Names of files and classes must be printed on every terminal.
    guarded = _Stream(stream.detach(), encoding, "backslashreplace", line_buffering=buffered)
    guarded.terminal = terminal
    return guarded
