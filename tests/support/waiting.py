"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

STEP_S = 0.1


def wait_until(holds: Callable[[], object], seconds: float = 300) -> None:
    """Wait until something holds. Fails if it does not come true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(STEP_S)
