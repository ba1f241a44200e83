"""Ctrl-C takes effect after the current step."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from geochange.interrupt import defer_signals


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_one_is_only_noted_and_the_second_interrupts() -> None:
    with defer_signals() as asked:
        assert not asked.is_set()
        interrupt()
        assert asked.is_set()
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_with_others_in_the_same_step_every_one_interrupts() -> None:
    with pytest.raises(KeyboardInterrupt), defer_signals(alone=False):
        interrupt()


def test_signals_of_other_threads_are_left_alone() -> None:
    found = []

    def work() -> None:
        with defer_signals() as asked:
            found.append((asked.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, signal.default_int_handler)]
