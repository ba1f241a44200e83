"""The performance report of Dask: a page with the tasks of a run, their times and their workers."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, performance_report

from geochange.errors import MissingDependencyError, RunError, one_line
from geochange.files.atomic import atomic_path
from geochange.files.performance_page import OPTION

CALLING_CODE = "geochange run"
"""Dask would show the code of the caller: a cell of a notebook, with the addresses in it."""


@contextmanager
def performance_page(client: Client, page: Path) -> Iterator[None]:
    """Write the page at the end of this context. Nothing is written after an error in it.

    The page holds names of functions, workers, times and the log of the scheduler, which on a shared
    scheduler tells of other users, too. It holds no argument of a task. Raises
    MissingDependencyError if the scheduler has no bokeh, and RunError if it cannot make the page.
    """
    _require_bokeh(client)
    with atomic_path(page) as aside:
        report: Any = performance_report(filename=str(aside), mode="inline")  # asks no server
        client.sync(report.__aenter__)
        yield
        try:
            client.sync(report.__aexit__, None, None, None, code=CALLING_CODE)
        except Exception as error:
            raise RunError(
                f"{OPTION}: Dask cannot make the page ({one_line(error)[:200]}); leave the option out, "
                "the same command goes on without it"
            ) from error


def _has_bokeh() -> bool:
    return importlib.util.find_spec("bokeh") is not None


def _require_bokeh(client: Client) -> None:
    """Refuse a scheduler without bokeh: it draws the page. Raises MissingDependencyError."""
    if not client.run_on_scheduler(_has_bokeh):
        raise MissingDependencyError(
            f"{OPTION}: the scheduler lacks the package bokeh; install it there with pip install "
            "'geochange[dashboard]', or leave the option out"
        )
