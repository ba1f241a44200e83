"""LocalThreads: runs calls in threads of this process, with the methods of a Dask client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

JOIN_TIMEOUT_S = 30.0
"""How long the end waits for calls that are running."""


class LocalThreads:
    """Threads that take calls from one queue, in order.

    They are daemons: a process that is told to stop does not wait for a read that hangs.
    """

    def __init__(self, threads: int) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"work-{number}", daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT_S)

    def nthreads(self) -> dict[str, int]:
        """The number of threads."""
        return {"this process": len(self._threads)}

    def submit(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Future[Any]:
        """Queue a call. settings: of Dask; they do not matter here."""
        future: Future[Any] = Future()
        self._calls.put(lambda: _run(future, function, arguments))
        return future

    def cancel(self, futures: Iterable[Future[Any]], **settings: Any) -> None:
        """Cancel the calls that are not yet running. settings: of Dask."""
        for future in futures:
            future.cancel()

    def stream(self) -> CompletedFutures:
        """An iterator over futures as they are done."""
        return CompletedFutures()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _run(future: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    if future.set_running_or_notify_cancel():
        with _Failing(future):
            future.set_result(function(*arguments))


class _Failing:
    """A context that passes its errors to whoever waits for a future."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is not None:
            self._future.set_exception(error)
        return error is not None


class CompletedFutures:
    """Futures as they are done. Those that are added must be taken as often."""

    def __init__(self) -> None:
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()

    def add(self, future: Future[Any]) -> None:
        """Yield this future when it is done."""
        future.add_done_callback(self._done.put)

    def __iter__(self) -> CompletedFutures:
        return self

    def __next__(self) -> Future[Any]:
        return self._done.get()
