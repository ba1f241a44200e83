"""BlockMeter: counts the blocks of a run that are done, and reports rate, time left and traffic."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from geochange.progress import BlockFigures, Progress, show_blocks
from geochange.storage.traffic import Traffic

EVERY_S = 1.0
"""The time between two reports."""

RATE_S = 60.0
"""The rate is that of the last minute: the first blocks load the model, or are done already."""


@dataclass
class BlockMeter:
    """Reports figures about once a second, and at the end.

    total: the number of blocks of tiles. workers: as in BlockFigures. clock: seconds.
    """

    progress: Progress
    total: int
    workers: int
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    traffic: Traffic = field(default_factory=Traffic)
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._samples.append((self.clock(), 0))

    def add(self, blocks: int, traffic: Traffic) -> None:
        """Note blocks of tiles (0 after an output block), and the traffic of their task."""
        self.done += blocks
        self.traffic += traffic
        if self.clock() - self._samples[-1][0] >= EVERY_S:
            self.report()

    def report(self) -> None:
        """Report the figures now."""
        now = self.clock()
        self._samples.append((now, self.done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= RATE_S:
            self._samples.popleft()
        began, before = self._samples[0]
        rate = (self.done - before) / (now - began) if now > began else 0.0
        left = self.total - self.done
        left_s = 0.0 if left == 0 else left / rate if rate else None
        show_blocks(
            self.progress,
            BlockFigures(self.done, self.total, rate, left_s, self.workers, self.traffic),
        )
