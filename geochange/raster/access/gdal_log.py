"""Messages of GDAL from rasterio: ignores some, decodes them, or finds their cause."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rasterio._err import CPLE_BaseError, CPLE_OutOfMemoryError
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError


class _IgnoreGeoreferenceWarnings:
    """A context that ignores warnings about a missing georeference, in all threads.

    Warning filters of Python belong to the process. So the first thread sets them, and the last thread
    restores them.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._kept = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._kept = warnings.catch_warnings()
                self._kept.__enter__()
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._kept.__exit__(None, None, None)


IGNORE_GEOREFERENCE_WARNINGS = _IgnoreGeoreferenceWarnings()


@contextmanager
def as_rasterio_errors() -> Iterator[None]:
    """Turn errors that rasterio does not convert into a RasterioIOError.

    These are GDAL messages that are not valid UTF-8, and GDAL errors while rasterio reads the
    properties of the bands of an open file.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise RasterioIOError(error.object.decode("utf-8", "replace")) from error
    except CPLE_BaseError as error:
        raise RasterioIOError(str(error)) from error


def is_out_of_memory(error: RasterioError) -> bool:
    """Whether GDAL failed because memory was short.

    libtiff also says so of a damaged tag that states more values than it can have.
    """
    is_damage = "TIFFReadDirectory:" in str(error)
    return isinstance(error.__cause__, CPLE_OutOfMemoryError) and not is_damage
