"""`geochange` in a separate process: forked from one that has imported torch, or started afresh.

A fresh process imports torch and other libraries, which takes seconds. A process that forks from
Python's fork server starts at once. It ends, dies and is waited for like any other.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest.mock import patch

PRELOADED = (
    *("geochange.cli.main", "geochange.workflows.detect", "geochange.models.weights.checkpoint"),
    *("geochange.cli.commands.run", "geochange.running.tasks", "geochange.report.run.reporter"),
    *("geochange.models.classical", "geochange.models.detector", "geochange.vector.aoi"),
    *("geochange.cli.commands.train", "geochange.workflows.train", "geochange.dataset"),
    *(
        "geochange.cli.commands.evaluate",
        "geochange.workflows.evaluate",
        "geochange.workflows.demo",
    ),
    *(
        "geochange.workflows.cut_chips",
        "geochange.workflows.preview",
        "geochange.workflows.dry_run",
    ),
    *("geochange.workflows.compare", "geochange.workflows.inspect_pair", "pyogrio", "yaml", "rich"),
    *(
        "geochange.cli.commands.check",
        "geochange.cli.commands.weights",
        "geochange.cli.commands.data",
    ),
    *(
        "geochange.workflows.polygonize",
        "distributed",
        "distributed.nanny",
        "torch",
        "geopandas",
        "open_clip",
    ),
    *("skimage.filters", "skimage.registration", "cryptography.x509", "pyarrow.pandas_compat"),
    *("geochange.cluster.dask_jobs", "geochange.models.training_free.predict"),
    *("zarr", "skimage", "sqlite3", "fuzz_kinds", "planted_network"),
)
"""The modules that commands import. A missing name only costs time.

There is one server and thus one list: of several lists, the first would count for all.
"""


def server() -> ForkServerContext:
    """The context of forked processes. Its server starts on the first call."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))):
        forkserver.ensure_running()  # Python 3.11 gives it the folders of modules in no other way
    return context


class ForkedCommand:
    """`geochange` with these words in a process of its own.

    session: "" for one of its own, as a shell gives each command; or the terminal that it is in,
    which is also where it prints.
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        most_bytes: int | None = None,
        session: str | None = None,
    ) -> None:
        handle, said = tempfile.mkstemp(dir=folder.parent, suffix=".err")
        os.close(handle)
        self._said = Path(said)
        given = (list(words), folder, dict(environment), said, most_bytes, session)
        self._process = server().Process(target=_serve, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs; negative if a signal ended it."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()

    def wait(self, timeout: float = 120) -> int:
        """Wait for its end. Returns the exit code."""
        self._process.join(timeout)
        code = self._process.exitcode
        assert code is not None, "it does not end"
        return code

    def end(self) -> tuple[int, str]:
        """Wait for its end. Returns the exit code and its stderr."""
        code = self.wait()
        return code, self._said.read_text()


class FreshCommand:
    """The same, started as a user starts it."""

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "geochange", *words],
            cwd=folder,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid, self.poll = self._process.pid, self._process.poll
        self.send_signal, self.kill = self._process.send_signal, self._process.kill

    def wait(self, timeout: float = 120) -> int:
        """Wait for its end. Returns the exit code."""
        return self._process.wait(timeout)

    def end(self) -> tuple[int, str]:
        """Wait for its end. Returns the exit code and its stderr."""
        _, said = self._process.communicate(timeout=900)
        return self._process.returncode, said


def _serve(
    words: list[str],
    folder: Path,
    environment: dict[str, str],
    said: str,
    most_bytes: int | None,
    session: str | None,
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with open(said, "w") as file:
        os.dup2(file.fileno(), 2)
    if session is not None:
        os.setsid()
    if session:
        terminal = os.open(session, os.O_RDWR)  # a session's first one is the one that it is in
        for stream in range(3):
            os.dup2(terminal, stream)
        # Those of the server may be files, in which one can go back.
        sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, closefd=False) for n in (1, 2))
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    sys.argv = ["geochange", *words]
    from geochange.cli.main import main

    main()
