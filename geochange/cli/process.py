"""The process of a command: its streams, its current folder, and what libraries say of themselves."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO


def prepare() -> None:
    """Make the process fit for a command, wherever and however it was started."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # Names of files and classes are printed whatever the terminal can show.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    # What GDAL says of a failure stands in the line that names it.
    logging.getLogger("rasterio").setLevel(logging.ERROR)
    warnings.showwarning = _show_warning
    sys.unraisablehook = partial(_show_unraisable, sys.unraisablehook)


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
    logging.getLogger(__name__).warning("%s", " ".join(str(message).split()))


def _show_unraisable(usual: Callable[[Any], object], found: Any) -> None:
    """What cannot be raised, but for GDAL's words in other bytes than UTF-8.

    rasterio cannot pass them on to its log; the error that it raises beside holds them.
    """
    if isinstance(found.exc_value, UnicodeDecodeError) and "rasterio" in str(found.object):
        return
    usual(found)


def reader_is_gone() -> bool:
    """Whether nobody reads what this process prints any more, as after `| head`."""
    gone = False
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            gone = True
            # Python would flush it once more at its end, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return gone


def flush() -> str:
    """Print what waits to be printed; gives the reason where that cannot be done."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        reader_is_gone()
    except OSError as error:  # a disk that is full, where the output is kept in a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error.strerror or str(error)
    return ""
