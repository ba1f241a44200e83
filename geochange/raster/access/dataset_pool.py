"""HandlePool: keeps rasters open between the reads of a run, so that GDAL's cache stays useful."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from geochange.raster.reader import gdal_environment, open_raster


class HandlePool:
    """Open local rasters of one run. Each is lent to one reader at a time.

    The raster that was returned last is lent first, because its blocks are most likely still cached.
    Another run never gets it, because files may have changed between runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run = ""
        self._idle: dict[str, list[Any]] = {}

    @contextmanager
    def borrow(self, run: str, path: str) -> Iterator[Any]:
        """The raster at `path` for a reader of `run`. A raster that its reader closed is not kept.

        Raises InputError if it cannot be opened.
        """
        with gdal_environment():
            dataset = self._take(run, path) or open_raster(path)
            try:
                yield dataset
            finally:
                self._return(run, path, dataset)

    def close(self) -> None:
        """Close all idle rasters. Lent rasters are closed when they are returned."""
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
"""The pool of this process."""
