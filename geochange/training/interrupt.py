"""Interrupts that wait until a step is complete."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def defer_interrupt(alone: bool = True) -> Iterator[threading.Event]:
    """Ctrl-C sets the event and does nothing else; the second Ctrl-C interrupts at once.

    alone: False where other processes work on the same step. They would wait for ever for a stopped
    process, so every Ctrl-C interrupts at once.
    """
    asked = threading.Event()
    if not alone or threading.current_thread() is not threading.main_thread():
        yield asked
        return
    usual = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, usual)
