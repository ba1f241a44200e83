"""Signals that end a process: each ends it cleanly, and training completes its step first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

TERMINATION_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""Signals besides Ctrl-C (SIGINT) with which schedulers and shells end a process."""


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end. Like Ctrl-C, it ends the current work cleanly."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def raise_on_termination() -> Iterator[None]:
    """Raise Terminated in the main thread when a signal asks the process to end.

    After the first signal the others are ignored, because workers, locks and files are being cleaned
    up. A signal that was ignored before, such as SIGHUP under nohup, stays ignored.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for each in usual:
            signal.signal(each, signal.SIG_IGN)
        raise Terminated(number)

    usual = _replace_handlers(TERMINATION_SIGNALS, end)
    try:
        yield
    finally:
        _restore_handlers(usual)


@contextmanager
def signals_blocked_for_children() -> Iterator[None]:
    """Threads and processes that start here ignore Ctrl-C and SIGHUP.

    A terminal sends both signals to all its processes. Workers would stop with a traceback each.
    Instead, the process that started them stops them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker  # a late import, as most commands start no process

    # Threads and processes inherit blocked signals. A blocked signal is delivered later.
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        resource_tracker.ensure_running()  # its start unblocks SIGINT
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)


class StopRequest:
    """Whether a signal has asked the work to end. The work checks it between two steps."""

    def __init__(self) -> None:
        self.number: int | None = None

    def is_set(self) -> bool:
        """Whether a signal has arrived."""
        return self.number is not None

    def raise_if_set(self) -> None:
        """Raise the exception of the signal, if one has arrived."""
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            raise Terminated(self.number)


@contextmanager
def defer_signals(alone: bool = True) -> Iterator[StopRequest]:
    """Record the first signal instead of interrupting. A second signal interrupts as usual.

    alone: False if other processes share each step. They would wait forever for a process that has
    stopped, so every signal interrupts at once.
    """
    asked = StopRequest()
    if not alone or threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        asked.number = number
        _restore_handlers(usual)

    usual = _replace_handlers((signal.SIGINT, *TERMINATION_SIGNALS), note)
    try:
        yield asked
    finally:
        _restore_handlers(usual)


def _replace_handlers(numbers: tuple[int, ...], handler: Callable[..., None]) -> dict[int, Any]:
    """Set a handler for the signals that are not ignored. Returns their previous handlers."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    usual = {number: signal.getsignal(number) for number in numbers}
    heeded = {number: old for number, old in usual.items() if old is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, handler)
    return heeded


def _restore_handlers(usual: dict[int, Any]) -> None:
    for number, old in usual.items():
        signal.signal(number, signal.SIG_DFL if old is None else old)
