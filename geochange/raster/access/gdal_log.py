"""What GDAL says, by way of rasterio: hushed, put into UTF-8, or looked through for its cause."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rasterio._err import CPLE_BaseError, CPLE_OutOfMemoryError
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError


class _Quiet:
    """For as long as anyone is inside, in whichever thread.

    Python's filters are the whole process's: the first who comes sets them, the last who goes
    puts them back.
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


QUIET = _Quiet()


@contextmanager
def understood() -> Iterator[None]:
    """Turn what rasterio lets through into an error as any other. Raises RasterioIOError.

    That are words of GDAL in other bytes than UTF-8, and errors of GDAL where rasterio asks a file
    that is open about its bands.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise RasterioIOError(error.object.decode("utf-8", "replace")) from error
    except CPLE_BaseError as error:
        raise RasterioIOError(str(error)) from error


def lacks_memory(error: RasterioError) -> bool:
    """Whether GDAL failed for want of memory."""
    return isinstance(error.__cause__, CPLE_OutOfMemoryError)
