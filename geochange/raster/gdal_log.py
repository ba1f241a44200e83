"""Quiet: no word of rasterio's about a missing georeference."""

from __future__ import annotations

import threading
import warnings

from rasterio.errors import NotGeoreferencedWarning


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
