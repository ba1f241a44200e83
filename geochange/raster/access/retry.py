"""Retries failed reads after a pause, with the raster reopened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any, TypeVar

import rasterio
from rasterio.errors import RasterioError

from geochange.errors import one_line
from geochange.raster.access.gdal_log import as_rasterio_errors, is_out_of_memory
from geochange.raster.access.remote import NO_NEGATIVE_CACHE
from geochange.storage.traffic import Traffic, count

T = TypeVar("T")

PAUSES_S = (0.5, 2.0)
"""The pause in seconds before each retry."""

TRIES = 1 + len(PAUSES_S)

sleep = time.sleep


def retry_pauses() -> Iterator[None]:
    """Yields once before each retry, after its pause."""
    for pause_s in PAUSES_S:
        sleep(pause_s)
        count(Traffic(retries=1))
        yield


class Handle:
    """An open raster that can be reopened, because GDAL may cache a failure.

    open_afresh: how to reopen it, if this differs from the first time.
    """

    def __init__(
        self,
        open_raster: Callable[[], AbstractContextManager[Any]],
        open_afresh: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        self._open, self._stack = open_raster, ExitStack()
        self._open_afresh = open_afresh or open_raster

    def __enter__(self) -> Handle:
        self.dataset = self._stack.enter_context(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def reopen(self) -> None:
        """Close the raster and open it again without caches. Raises the errors of opening it."""
        self.dataset.close()  # a closed raster does not return to the pool
        self._stack.close()
        self._stack.enter_context(rasterio.Env(**NO_NEGATIVE_CACHE))
        self.dataset = self._stack.enter_context(self._open_afresh())


def retry_read(
    handle: Handle, read: Callable[[Any], T], pauses_s: Iterable[float] = PAUSES_S
) -> T | RasterioError:
    """The result of `read` for the open raster, or the error of the last try."""
    answer = _attempt(handle, read)
    for pause_s in pauses_s:
        if not isinstance(answer, RasterioError):
            break
        sleep(pause_s)
        count(Traffic(retries=1))
        handle.reopen()
        answer = _attempt(handle, read)
    return answer


def read_pieces(
    handle: Handle,
    pieces: Iterable[T],
    read: Callable[[T, Any], None],
    pauses_s: Iterable[float] = PAUSES_S,
) -> list[T]:
    """Read every piece. Returns the pieces that cannot be read, also after reopening the raster."""
    failed = _failed_pieces(handle, pieces, read)
    for pause_s in pauses_s:
        if not failed:
            break
        sleep(pause_s)
        count(Traffic(retries=1))
        handle.reopen()
        failed = _failed_pieces(handle, failed, read)
    return failed


def _failed_pieces(handle: Handle, pieces: Iterable[T], read: Callable[[T, Any], None]) -> list[T]:
    answers = ((piece, _attempt(handle, partial(read, piece))) for piece in pieces)
    return [piece for piece, answer in answers if isinstance(answer, RasterioError)]


def _attempt(handle: Handle, read: Callable[[Any], T]) -> T | RasterioError:
    try:
        with as_rasterio_errors():
            return read(handle.dataset)
    except RasterioError as error:
        if is_out_of_memory(error):
            # Short memory is not a damaged file, so the pixels must not be skipped.
            raise MemoryError(one_line(error.__cause__ or error)) from error
        return error
