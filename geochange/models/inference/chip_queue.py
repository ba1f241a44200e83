"""Chip queue: the chips of all requests that wait for one device, in order of arrival."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from geochange.errors import RunError
from geochange.models.inference.engine import Row
from geochange.models.inference.request import Request


class ChipQueue:
    """Requests in a queue. Each is completed before the next.

    If requests took turns, all would be completed at the same moment. Then the device would be idle
    while all callers read their next chips.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Request, deque[int]]] = deque()
        self._idle = False
        self._closed = False

    def add(self, request: Request) -> None:
        """Append a request. Raises RunError once the queue is closed."""
        with self._changed:
            if self._closed:
                raise RunError("the threads that serve this device have ended; start again")
            if request.seen:
                self._waiting.append((request, deque(request.seen)))
            self._changed.notify_all()

    def drop(self, request: Request) -> None:
        """Remove the remaining chips of a request."""
        with self._changed:
            self._waiting = deque(item for item in self._waiting if item[0] is not request)
            self._changed.notify_all()

    def set_device_idle(self, idle: bool) -> None:
        """Set whether the device is idle. An idle device accepts a batch that is not full."""
        with self._changed:
            self._idle = idle
            self._changed.notify_all()

    def close(self, emptied: bool = False) -> None:
        """Accept no more requests. Those in the queue are served, or dropped with `emptied`."""
        with self._changed:
            self._closed = True
            if emptied:
                self._waiting.clear()
            self._changed.notify_all()

    def first(self) -> Request | None:
        """Wait for the next request; None once the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return self._waiting[0][0] if self._waiting else None

    def take(self, size: int, full: bool) -> list[Row]:
        """Up to `size` chips of one kind from the front.

        full: take fewer only if the device is idle, or if chips of another kind follow.
        """
        with self._changed:
            self._changed.wait_for(lambda: not full or self._enough(size))
            return list(self._taken(size))

    def _enough(self, size: int) -> bool:
        alike = 0
        for request, places in self._waiting:
            if request.kind != self._waiting[0][0].kind or alike >= size:
                return True
            alike += len(places)
        return alike >= size or self._idle or self._closed or not self._waiting

    def _taken(self, size: int) -> Iterator[Row]:
        kind = self._waiting[0][0].kind if self._waiting else None
        while size and self._waiting and self._waiting[0][0].kind == kind:
            request, places = self._waiting[0]
            yield request, places.popleft()
            size -= 1
            if not places:
                self._waiting.popleft()
