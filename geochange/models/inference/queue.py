"""Line: the chips of all callers that wait for one device, in the order of their arrival."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from geochange.errors import RunError
from geochange.models.inference.engine import Row
from geochange.models.inference.request import Request


class ChipQueue:
    """Requests stand behind each other and are served one by one, so that the first is done first.

    Were they served in turns, all would be done at the same moment, and then the device would
    wait while all of them read.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Request, deque[int]]] = deque()
        self._idle = False
        self._closed = False

    def add(self, request: Request) -> None:
        """Stand at the end. Raises RunError once the line is closed."""
        with self._changed:
            if self._closed:
                raise RunError("nobody serves this device any more; begin anew")
            if request.seen:
                self._waiting.append((request, deque(request.seen)))
            self._changed.notify_all()

    def drop(self, request: Request) -> None:
        """What still waits of a request need not be shown."""
        with self._changed:
            self._waiting = deque(item for item in self._waiting if item[0] is not request)
            self._changed.notify_all()

    def set_idle(self, idle: bool) -> None:
        """Say whether the device has nothing to do, and is content with a batch not full."""
        with self._changed:
            self._idle = idle
            self._changed.notify_all()

    def close(self, emptied: bool = False) -> None:
        """Let nobody else in; who waits is still served, or sent away."""
        with self._changed:
            self._closed = True
            if emptied:
                self._waiting.clear()
            self._changed.notify_all()

    def first(self) -> Request | None:
        """Who is served next, waited for; None once the line is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return self._waiting[0][0] if self._waiting else None

    def take(self, size: int, full: bool) -> list[Row]:
        """Up to `size` chips alike from the front.

        full: fewer only when the device is idle, or chips of another kind stand behind them.
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
