"""Calls in separate processes with limits of memory and time.

Processes fork from a server that has loaded the heavy libraries, so they start quickly.
"""

from __future__ import annotations

import contextlib
import io
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from forked import server

from geochange.errors import GeochangeError

MB = 2**20


@dataclass(frozen=True)
class Outcome:
    """The result of a call, or the refusal or fault that it raised.

    rise_mb: the largest rise of the memory of its process.
    """

    value: Any
    refusal: str
    fault: str
    rise_mb: float


def call_limited(
    function: Callable[..., Any], *arguments: Any, memory_mb: int = 600, seconds: float = 300
) -> Outcome:
    """Call a function of a module with plain arguments, within limits.

    Fails if the process dies or exceeds the time limit.
    """
    context = server()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, memory_mb, function, arguments))
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            process.kill()
            raise AssertionError(f"not done in {seconds:g} s: {function.__name__}{arguments}")
        outcome = ours.recv()
    except EOFError:
        process.join()
        raise AssertionError(
            f"died with {process.exitcode}: {function.__name__}{arguments}"
        ) from None
    process.join()
    assert isinstance(outcome, Outcome)
    return outcome


def _work(
    answer: Connection, memory_mb: int, function: Callable[..., Any], arguments: Sequence[Any]
) -> None:
    began_mb = _status_mb("VmSize:")
    limit = int(began_mb + memory_mb) * MB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    start_mb = _status_mb("VmRSS:")
    value, refusal, fault = None, "", ""
    try:
        value = function(*arguments)
    except GeochangeError as error:
        refusal = f"{type(error).__name__}: {error}"
    except BaseException as error:  # noqa: BLE001 - whatever it is, the test is told
        fault = f"{type(error).__name__}: {error}"
    answer.send(Outcome(value, refusal, fault, _status_mb("VmHWM:") - start_mb))


def _status_mb(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {name} of this process")


def command(*words: str) -> tuple[int, str, str]:
    """Exit code, output and messages of `geochange WORDS`."""
    from geochange.cli.main import _exit_code

    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        code = _exit_code(list(words))
    return code, out.getvalue(), said.getvalue()


def assert_refused(outcome: Outcome, *, says: str = "") -> str:
    """Check that a command was refused in one line, without a fault. Returns the line."""
    assert outcome.fault == "", outcome.fault
    code, _, said = outcome.value
    assert code == 2, (code, said)
    assert said.startswith("geochange: ") and said.count("\n") == 1, said
    assert "fault" not in said and "Traceback" not in said, said
    assert says in said
    return str(said)
