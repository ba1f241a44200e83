"""Damaged inputs, one after the other, in a child process that may take so much and no more.

Every command ends with an answer or with one line that refuses. What is neither is a fault: a
traceback, the word "fault", a line that says more than one thing, memory beyond the limit, a child
that dies or does not end.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Literal

from forked import server
from fuzz_kinds import KINDS, Kind
from limited_process import MB, _status_mb

Ending = Literal["answered", "refused", "fault"]

SECONDS = 60.0
"""No input of some kilobytes takes so long, on whatever machine."""

STACKS_S = 50.0
"""The child writes after this time where each of its threads is."""

RISE_MB = 400
"""No input of some kilobytes takes so much memory."""

ADDRESSES_MB = 3000
"""What a child may reserve on top of what it has: an allocation beyond fails, the machine is safe."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input. said: what the command wrote to stderr, or what is wrong."""

    index: int
    name: str
    words: str
    ending: Ending
    said: str
    seconds: float = 0.0
    rise_mb: float = 0.0


def damaged(kind: Kind, seed: str, folder: Path) -> tuple[str, str]:
    """Damage one file of a folder; its name, and the words of the command that reads it."""
    rng = Random(seed)
    name = rng.choice(kind.sources)
    path = folder / name
    data = path.read_bytes()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(kind.mutators)(rng, data)
    path.write_bytes(data)
    commands = kind.commands.get(path.suffix) or kind.commands[""]
    return name, rng.choice(commands).replace("INPUT", name)


def fuzz(
    name: str, seed: int, count: int, folder: Path, kept: Path | None = None
) -> Iterator[Outcome]:
    """Try so many damaged inputs of a kind.

    kept: where the folders of those that fail are kept, by seed. A child that dies, or does not
    end, is followed by another one, which goes on behind the input that was its last.
    """
    base = folder / f"{name}.base"
    base.mkdir(parents=True)
    _lay_out(KINDS[name], base)
    first = 0
    while first < count:
        for outcome in _from_child(name, seed, (first, count), folder):
            first = outcome.index + 1
            if outcome.ending == "fault" and kept is not None:
                _keep(kept / f"{name}-{seed}-{outcome.index}", folder / f"{name}.case", outcome)
            yield outcome


def _lay_out(kind: Kind, base: Path) -> None:
    """Make the files of a kind, in a process that has read the libraries already."""
    process = server().Process(target=kind.lay_out, args=(base,))
    process.start()
    process.join()
    assert process.exitcode == 0, "the files cannot be made"


def _keep(place: Path, case: Path, outcome: Outcome) -> None:
    case.mkdir(exist_ok=True)
    shutil.copytree(case, place, symlinks=True, dirs_exist_ok=True)
    (place / "SAID.txt").write_text(
        f"geochange {outcome.words}\n{outcome.said}\n", "utf-8", "replace"
    )


def _from_child(name: str, seed: int, span: tuple[int, int], folder: Path) -> Iterator[Outcome]:
    """The outcomes of a child, up to the first fault that leaves it in an unknown state."""
    context = server()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, name, seed, span, folder))
    process.start()
    theirs.close()
    index, words, source = span[0], "", ""
    try:
        while index < span[1]:
            if not ours.poll(SECONDS):
                process.kill()
                stacks = (folder / f"{name}.said").read_text("utf-8", "replace")
                late = f"not done in {SECONDS:g} s: {stacks}"
                yield Outcome(index, source, words, "fault", late, SECONDS)
                return
            told = ours.recv()
            if isinstance(told, Outcome):
                index = told.index + 1
                yield told
                if told.ending == "fault":
                    return
            else:
                index, source, words = told
    except EOFError:
        process.join()
        left = (folder / f"{name}.said").read_text("utf-8", "replace")
        died = f"the process died with {process.exitcode}: {left[-3000:]}"
        yield Outcome(index, source, words, "fault", died)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()


def _work(answer: Connection, name: str, seed: int, span: tuple[int, int], folder: Path) -> None:
    """The child: try inputs, each in a folder of its own that is a copy of the kind's."""
    from geochange.cli.process_setup import prepare
    from geochange.raster.access import retry

    retry.sleep = lambda pause_s: None  # a damaged block is as damaged after a pause
    limit = int(_status_mb("VmSize:") + ADDRESSES_MB) * MB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    said = folder / f"{name}.said"
    with open(said, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for stream, number in (("stdout", 1), ("stderr", 2)):
        # In the order in which it is written.
        opened = os.fdopen(number, "w", encoding="utf-8", closefd=False, buffering=1)
        setattr(sys, stream, opened)
    prepare()
    case = folder / f"{name}.case"
    for index in range(*span):
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(folder / f"{name}.base", case)
        os.chdir(case)
        source, words = damaged(KINDS[name], f"{name} {seed} {index}", case)
        answer.send((index, source, words))
        faulthandler.dump_traceback_later(STACKS_S, file=2)
        ending, told, seconds, rise = _try_command(words, said)
        answer.send(Outcome(index, source, words, ending, told, seconds, rise))
        if ending == "fault":  # what it left in this process, nobody knows
            break
    answer.close()


def _try_command(words: str, said: Path) -> tuple[Ending, str, float, float]:
    from geochange.cli.main import _exit_code

    os.truncate(said, 0)
    os.lseek(1, 0, os.SEEK_SET)
    start_mb, began = _peak_from_now(), time.monotonic()
    code: int | str
    try:
        code = _exit_code(words.split())
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a fault
        code = f"{type(error).__name__}: {error}"
    seconds, rise = time.monotonic() - began, _status_mb("VmHWM:") - start_mb
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    told = said.read_bytes().decode("utf-8", "backslashreplace")
    wrong = _wrong(code, told, rise)
    if wrong:
        return "fault", f"{wrong}: {told[-3000:]}", seconds, rise
    return "answered" if code == 0 else "refused", told[-500:], seconds, rise


def _peak_from_now() -> float:
    """Let the kernel measure the peak from here on; what is taken now, in MB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status_mb("VmRSS:")


def _wrong(code: int | str, told: str, rise: float) -> str:
    """What is wrong with the end of a command; "" for nothing."""
    lines = told.splitlines()
    final = [line for line in lines if line.startswith("geochange: ")]
    if code not in (0, 1, 2):
        return f"ended with {code}"
    if rise > RISE_MB:
        return f"took {rise:.0f} MB more"
    if code and len(final) != 1:
        return f"said {len(final)} last lines"
    if any(word in told for word in ("fault: ", "Traceback", "out of memory", "Error in ")):
        return "is a fault"
    if code == 1 and "cannot be read" not in told and "damaged" not in told:
        return "failed"
    # All else is a warning of ours, in a line; what C libraries print is not.
    stray = [line for line in lines if line and not line.startswith(("geochange: ", "WARNING "))]
    return f"printed {stray[0]!r}" if code and stray else ""
