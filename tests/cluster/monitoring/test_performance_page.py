"""Dask's page of a run: complete or absent, and without anything that a task was given."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from geochange.cluster.dask_jobs import connect
from geochange.cluster.job_queue import Job
from geochange.cluster.jobs import reported_by_dask, run_bounded
from geochange.cluster.monitoring import performance_page
from geochange.cluster.monitoring.counted_task import CountedTask
from geochange.errors import MissingDependencyError, RunError

SIGNED = "https://host/before.tif?X-Amz-Signature=nobodymayseethis"
SECRETS = ("nobodymayseethis", "X-Amz", "host/before")


def read_block(url: str, number: int) -> str:
    if number == 3:
        raise OSError(f"{url}: cannot be read")
    logging.getLogger("distributed.worker").warning("read %s", number)
    return url


@pytest.mark.slow
def test_the_page_names_tasks_and_shows_no_address(tmp_path: Path) -> None:
    pytest.importorskip("bokeh")
    page = tmp_path / "page.html"
    jobs = [Job(number, CountedTask(read_block), (SIGNED, number)) for number in range(6)]
    with connect(None, 0, 1) as client, reported_by_dask(client, page):
        run_bounded(client, jobs, lambda *_: None, lambda error: isinstance(error, OSError))
    text = page.read_text("utf-8")
    assert "Dask Performance Report" in text and "read_block" in text
    assert [secret for secret in SECRETS if secret in text] == []
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    # It asks no other server for scripts.
    assert not re.search(r'<script[^>]* src="http', text)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> type:
    """A stand-in for Dask's report, which needs bokeh."""

    class Report:
        fails = False

        def __init__(self, filename: str, mode: str) -> None:
            self.file = Path(filename)

        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_: object, code: str) -> None:
            self.file.write_text(code)
            if self.fails:
                raise AttributeError("no such\nplot")

    monkeypatch.setattr(performance_page, "performance_report", Report)
    return Report


class Client:
    """A client whose scheduler has bokeh, or lacks it."""

    def __init__(self, bokeh: bool = True) -> None:
        self.bokeh = bokeh

    def run_on_scheduler(self, _: object) -> bool:
        return self.bokeh

    def sync(self, function: object, *args: object, **named: object) -> None:
        try:
            function(*args, **named).send(None)  # type: ignore[operator]
        except StopIteration:
            return


def test_a_page_appears_whole_or_not_at_all(tmp_path: Path, report: type) -> None:
    page = tmp_path / "page.html"
    page.write_text("the last one")
    with pytest.raises(ValueError, match="the run fails"), reported_by_dask(Client(), page):
        raise ValueError("the run fails")
    assert page.read_text() == "the last one"
    report.fails = True  # type: ignore[attr-defined]
    refused = pytest.raises(RunError, match=r"no such plot\); leave")
    with refused as told, reported_by_dask(Client(), page):
        pass
    assert "\n" not in str(told.value)
    assert page.read_text() == "the last one"
    report.fails = False  # type: ignore[attr-defined]
    with reported_by_dask(Client(), page):
        pass
    assert page.read_text() == performance_page.CALLING_CODE
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_scheduler_without_bokeh_is_refused_before_the_work(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    refused = pytest.raises(MissingDependencyError, match=r"lacks .*bokeh; install it there")
    with refused, reported_by_dask(Client(bokeh=False), page):
        raise AssertionError("the work began")
    assert not page.exists()
