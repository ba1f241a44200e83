"""Signals that ask a process to end: each ends it in order, and training finishes its step first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""What schedulers and shells send to a process beside Ctrl-C (SIGINT)."""


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end; as Ctrl-C, it ends the work that is under way in order."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def terminable() -> Iterator[None]:
    """Raise Terminated in the main thread when a signal asks the process to end.

    The first one counts: workers, locks and files are being put in order from then on. A signal
    that is ignored, as SIGHUP under nohup, stays so.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for each in usual:
            signal.signal(each, signal.SIG_IGN)
        raise Terminated(number)

    usual = _replaced(ENDING, end)
    try:
        yield
    finally:
        _put_back(usual)


@contextmanager
def left_to_us() -> Iterator[None]:
    """Let threads and processes that are begun here hear nothing of Ctrl-C and SIGHUP.

    A terminal sends both to all its processes. Workers would break off with a traceback each; they
    are stopped by the process that began them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker  # which a command that begins none does without

    # Threads and processes inherit what is blocked; what comes meanwhile is heard afterwards.
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        resource_tracker.ensure_running()  # which opens the way for SIGINT again when it begins
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)


class Asked:
    """Whether a signal has asked the work to end; to be looked at between two steps."""

    def __init__(self) -> None:
        self.number: int | None = None

    def is_set(self) -> bool:
        """Whether one has."""
        return self.number is not None

    def obey(self) -> None:
        """Raise what the signal would have raised. Nothing where there was none."""
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            raise Terminated(self.number)


@contextmanager
def deferred(alone: bool = True) -> Iterator[Asked]:
    """Signals are noted and do nothing else; the second one interrupts at once, as always.

    alone: False where other processes work on the same step, which would wait for ever for one
    that has stopped: there every signal interrupts at once.
    """
    asked = Asked()
    if not alone or threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        asked.number = number
        _put_back(usual)

    usual = _replaced((signal.SIGINT, *ENDING), note)
    try:
        yield asked
    finally:
        _put_back(usual)


def _replaced(numbers: tuple[int, ...], handler: Callable[..., None]) -> dict[int, Any]:
    """Set a handler for signals that are not ignored; gives what handled them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    usual = {number: signal.getsignal(number) for number in numbers}
    heeded = {number: old for number, old in usual.items() if old is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, handler)
    return heeded


def _put_back(usual: dict[int, Any]) -> None:
    for number, old in usual.items():
        signal.signal(number, signal.SIG_DFL if old is None else old)
