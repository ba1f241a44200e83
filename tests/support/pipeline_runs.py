"""Runs pipelines and the command like scripts, in this process or in a fresh one.

A fresh process imports torch, which takes seconds. Of cluster.py, whose workers start from it, one
run uses one. One run of each other pipeline has a process of its own, to see that it starts and
prints nothing else; the others run here.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from forked import server

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finished:
    """The exit code and the output of a script."""

    returncode: int
    stdout: str
    stderr: str


def pipeline(name: str, *words: str) -> Finished:
    """Run pipelines/NAME.py in this process."""
    file = str(ROOT / "pipelines" / f"{name}.py")
    return _run(lambda: runpy.run_path(file, run_name="__main__"), [file, *words])


def command(*words: str) -> Finished:
    """Run `geochange` in this process."""
    start = ["geochange", *words]
    return _run(lambda: runpy.run_module("geochange", run_name="__main__"), start)


def pipeline_afresh(name: str, *words: str, **environment: str) -> Finished:
    """Run pipelines/NAME.py in a fresh process, with the geochange of this tree."""
    given = (environment.pop("PYTHONPATH", ""), str(ROOT), os.environ.get("PYTHONPATH"))
    paths = os.pathsep.join(filter(None, given))
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipelines" / f"{name}.py"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def pipeline_forked(name: str, *words: str, **environment: str) -> Finished:
    """Run pipelines/NAME.py in a process of its own, forked from one that has imported torch."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, stream) for stream in ("out", "err")]
        file = ROOT / "pipelines" / f"{name}.py"
        given = (file, list(words), {**os.environ, **environment}, streams)
        process = server().Process(target=_script, args=given)
        process.start()
        process.join(600)
        assert process.exitcode is not None, "it does not end"
        out, said = (stream.read_text() for stream in streams)
        return Finished(process.exitcode, out, said)


def _script(file: Path, words: list[str], environment: dict[str, str], streams: list[Path]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams, 1):
        with stream.open("w") as opened:
            os.dup2(opened.fileno(), number)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, closefd=False) for n in (1, 2))
    sys.argv = [str(file), *words]
    sys.path[0] = str(file.parent)
    runpy.run_path(str(file), run_name="__main__")


def _run(script: Callable[[], object], words: list[str]) -> Finished:
    out, said, code = io.StringIO(), io.StringIO(), 0
    settings = (_as_found(), patch.object(sys, "argv", words), _logged(said))
    with ExitStack() as stack:
        for setting in (*settings, redirect_stdout(out), redirect_stderr(said)):
            stack.enter_context(setting)
        try:
            script()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Finished(code, out.getvalue(), said.getvalue())


@contextmanager
def _as_found() -> Iterator[None]:
    """Undo what a script changes in this process."""
    loggers = {name: logging.getLogger(name) for name in (None, *logging.root.manager.loggerDict)}
    levels = {name: logger.level for name, logger in loggers.items()}
    folders = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = folders
        gc.unfreeze()
        for name in (None, *logging.root.manager.loggerDict):
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


@contextmanager
def _logged(where: io.StringIO) -> Iterator[None]:
    """Write warnings to stderr as a fresh process does, despite pytest's handlers."""
    handler = logging.StreamHandler(where)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)
