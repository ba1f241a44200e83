"""Held: rasters that stay open between the reads of a run, so that GDAL's cache serves the next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from geochange.raster.reader import gdal_environment, open_raster


class HandlePool:
    """Open local rasters of one run, each lent to one reader at a time.

    The last one returned is lent first: its blocks are the likeliest to be in the cache still.
    Readers of another run are never given them, for the files may be others by then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run = ""
        self._idle: dict[str, list[Any]] = {}

    @contextmanager
    def borrow(self, run: str, path: str) -> Iterator[Any]:
        """The raster at `path` for a reader of `run`; closed instead of kept if that closed it.

        Raises InputError where it cannot be opened.
        """
        with gdal_environment():
            dataset = self._take(run, path) or open_raster(path)
            try:
                yield dataset
            finally:
                self._return(run, path, dataset)

    def close(self) -> None:
        """Close all that is idle; what is lent is closed when it comes back."""
        with self._lock:
            self._run = ""
            self._close_all()

    def _take(self, run: str, path: str) -> Any:
        with self._lock:
            if run != self._run:
                self._close_all()
                self._run = run
            idle = self._idle.get(path)
            return idle.pop() if idle else None

    def _return(self, run: str, path: str, dataset: Any) -> None:
        with self._lock:
            if run == self._run and not dataset.closed:
                self._idle.setdefault(path, []).append(dataset)
                return
        dataset.close()

    def _close_all(self) -> None:
        for datasets in self._idle.values():
            for dataset in datasets:
                dataset.close()
        self._idle.clear()


HANDLES = HandlePool()
"""Those of this process."""
