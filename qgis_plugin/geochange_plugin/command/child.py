"""A command as a child process: its lines as they come, and its end when the user asks for it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, Callable

from .errors import CanceledError, SetupError

LOOK_EVERY_S = 0.1

GRACE_S = 30.0
"""A command that is asked to end writes what it has; after so long it is killed.

It goes on from its last whole chunk all the same.
"""


class ChildProcess:
    """A process whose lines are read by two threads, so that neither of its streams fills up."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._lines: queue.Queue[tuple[str, str]] = queue.Queue()
        try:
            self.process = subprocess.Popen(
                list(words),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                **_own_process_group(),
            )
        except OSError as error:
            raise SetupError(
                f"{words[0]}: cannot be run ({error.strerror}); name another Python under "
                "Settings > Options > geochange, or install geochange there"
            ) from error
        streams = (("out", self.process.stdout), ("err", self.process.stderr))
        self._readers = [
            threading.Thread(target=self._read, args=stream, daemon=True) for stream in streams
        ]
        for reader in self._readers:
            reader.start()

    def lines(self, wait_s: float = 0.0) -> Iterator[tuple[str, str]]:
        """The lines that have come, each with its stream; waits so long for the first of them."""
        with suppress(queue.Empty):
            yield self._lines.get(timeout=wait_s) if wait_s else self._lines.get_nowait()
            while True:
                yield self._lines.get_nowait()

    @property
    def running(self) -> bool:
        """Whether it runs, or has lines that nobody has read."""
        read = not any(reader.is_alive() for reader in self._readers) and self._lines.empty()
        return self.process.poll() is None or not read

    @property
    def code(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait()

    def terminate(self) -> None:
        """Ask it to end in order, as Ctrl-C would."""
        with suppress(OSError, ValueError):
            if sys.platform == "win32":
                # Windows may not deliver it to a process without a console; `kill` follows.
                self.process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                # A QGIS that a script started in the background hands down that SIGINT is ignored.
                self.process.terminate()

    def kill(self) -> None:
        """End it and its workers at once."""
        with suppress(OSError):
            if sys.platform == "win32":
                self.process.kill()
            else:
                os.killpg(self.process.pid, signal.SIGKILL)

    def _read(self, name: str, stream: IO[str] | None) -> None:
        if stream is not None:
            with stream:
                for line in stream:
                    self._lines.put((name, line))


def run(
    words: Sequence[str],
    environment: Mapping[str, str],
    on_line: Callable[[str, str], None],
    canceled: Callable[[], bool],
    grace_s: float = GRACE_S,
) -> int:
    """Run a command to its end; gives its exit code.

    on_line: told each line with its stream. canceled: whether the user has asked to end it. Raises
    CanceledError, and SetupError where it cannot be started.
    """
    child = ChildProcess(words, environment)
    asked: float | None = None
    try:
        while child.running:
            for stream, line in child.lines(LOOK_EVERY_S):
                on_line(stream, line)
            if asked is None and canceled():
                asked = time.monotonic()
                child.terminate()
            elif asked is not None and time.monotonic() - asked > grace_s:
                child.kill()
                break
    except BaseException:
        child.kill()  # whoever listens is gone
        raise
    if asked is not None:
        child.process.wait()
        raise CanceledError("ended; the same command goes on where it was")
    return child.code


def output_of(
    words: Sequence[str],
    environment: Mapping[str, str],
    timeout_s: float = 120,
    even_failed: bool = False,
) -> str:
    """What a short command prints. Raises SetupError.

    even_failed: also where it ends with an error, with what it says of it.
    """
    try:
        done = subprocess.run(
            list(words),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            **_own_process_group(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(
            f"{words[0]}: cannot be run ({error}); name another Python under Settings > Options > "
            "geochange"
        ) from error
    if even_failed:
        return str(done.stdout + done.stderr)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise SetupError(
            f"{words[0]}: {lines[-1]}; Settings > Options > geochange installs it anew"
        )
    return str(done.stdout)


def _own_process_group() -> dict[str, Any]:
    """A group of its own: what the terminal of QGIS sends does not reach it, and its end does all."""
    if sys.platform == "win32":
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        return {"creationflags": hidden | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"start_new_session": True}
