"""A job list of any length: few jobs at a time, in a valid order, and failures are raised."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace
from typing import Any, cast

import pytest
from distributed import Client, Future

from geochange.cluster.dask_jobs import connect
from geochange.cluster.job_queue import Job
from geochange.cluster.jobs import READ_AHEAD, JobClient, open_client, run_bounded
from geochange.errors import OptionError
from geochange.grid.tiling import TilePlan
from geochange.parallelism import cpu_count
from geochange.running.plan.active_tiles import ActiveTiles
from geochange.running.plan.run_spec import RunSpec
from geochange.running.tasks import jobs

THREADS = 2


@pytest.fixture(scope="module")
def dask_client() -> Iterator[Client]:
    with connect(None, 0, THREADS) as made:
        yield made


@pytest.fixture(scope="module")
def local_threads() -> Iterator[JobClient]:
    with open_client(None, 0, THREADS, 1) as made:
        yield made


@pytest.fixture(params=["local_threads", "dask_client"])
def client(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


class Watched:
    """A client that counts jobs in progress and cancelled jobs."""

    def __init__(self, client: JobClient) -> None:
        self.client = client
        if hasattr(client, "stream"):
            self.stream = client.stream
        self.live = self.most = self.submitted = 0
        self.cancelled: list[Future[Any]] = []

    def nthreads(self) -> Any:
        return self.client.nthreads()

    def submit(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        self.submitted += 1
        self.live += 1
        self.most = max(self.most, self.live)
        return self.client.submit(function, *arguments, **settings)

    def cancel(self, futures: list[Future[Any]], **settings: Any) -> None:
        self.cancelled += futures
        self.client.cancel(futures, **settings)


def run(client: JobClient, jobs: Any) -> tuple[dict[Any, Any], Watched]:
    watched = Watched(client)
    answers: dict[Any, Any] = {}

    def done(job: Job, answer: Any) -> None:
        watched.live -= 1
        assert job.key not in answers
        answers[job.key] = answer

    run_bounded(watched, jobs, done)
    return answers, watched


def double(number: int) -> int:
    return 2 * number


def fail(number: int) -> int:
    raise ValueError(f"job {number} broke")


# These functions are sent to workers by name. Workers are threads here, so they share the gate.
GATE = threading.Event()
STARTED: list[int] = []


def wait(number: int) -> int:
    assert GATE.wait(10)
    return number


def open_gate(number: int) -> int:
    GATE.set()
    return number


def note(number: int) -> int:
    STARTED.append(number)
    return number


@pytest.fixture(autouse=True)
def closed_gate() -> Iterator[None]:
    GATE.clear()
    STARTED.clear()
    yield
    GATE.set()


@pytest.mark.slow
def test_every_answer_arrives_once_and_few_jobs_live_at_a_time(client: JobClient) -> None:
    answers, watched = run(client, (Job(number, double, (number,)) for number in range(40)))
    assert answers == {number: 2 * number for number in range(40)}
    assert watched.submitted == 40
    assert watched.most == 2 * THREADS
    assert watched.cancelled == []


def test_equal_calls_are_two_jobs(client: JobClient) -> None:
    answers, _ = run(client, [Job("a", double, (1,)), Job("b", double, (1,))])
    assert answers == {"a": 2, "b": 2}


def test_no_job_is_no_answer(client: JobClient) -> None:
    assert run(client, [])[0] == {}


@pytest.mark.slow
def test_a_job_starts_after_those_it_waits_for(client: JobClient) -> None:
    jobs = [Job(key, note, (key,), tuple(range(max(0, key - 3), key))) for key in range(20)]
    answers, _ = run(client, jobs)
    assert STARTED == list(answers) == list(range(20))


def test_those_that_wait_do_not_hold_up_the_others(client: JobClient) -> None:
    late = [Job(("late", number), double, (number,), ("slow",)) for number in range(5)]
    answers, _ = run(client, [Job("slow", wait, (1,)), *late, Job("gate", open_gate, (1,))])
    assert len(answers) == 7
    assert set(list(answers)[:2]) == {"slow", "gate"}


def test_the_list_is_read_no_further_than_needed(
    client: JobClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, read = 8, []
    monkeypatch.setattr("geochange.cluster.jobs.READ_AHEAD", ahead)

    def listed() -> Iterator[Job]:
        yield Job("first", wait, (1,))
        for number in range(3 * ahead):
            read.append(number)
            if number == ahead - 1:
                GATE.set()
            yield Job(number, double, (number,), ("first",))

    def done(job: Job, answer: Any) -> None:
        if job.key == "first":
            read_at_first.append(len(read))

    read_at_first: list[int] = []
    run_bounded(client, listed(), done)
    assert read_at_first == [ahead]
    assert len(read) == 3 * ahead


@pytest.mark.slow
def test_a_huge_raster_keeps_few_tasks_on_the_scheduler(dask_client: Client) -> None:
    """200,000 x 200,000 px: its first three rows of blocks, with jobs that cost nothing."""
    plan = TilePlan((200_000, 200_000))
    work = cast(RunSpec, SimpleNamespace(plan=plan, active_tiles=ActiveTiles(plan)))
    row = plan.cols.blocks + plan.cols.outputs
    tasks = dask_client.cluster.scheduler.tasks
    live, handed, done = [], 0, 0

    def sample() -> Iterator[Job]:
        nonlocal handed
        for handed, job in enumerate(islice(jobs(work), 3 * row), start=1):
            yield replace(job, function=double, arguments=(handed,))

    def take(job: Job, answer: int) -> None:
        nonlocal done
        done += 1
        live.append((len(tasks), handed - done))

    run_bounded(dask_client, sample(), take)
    assert done == handed == 3 * row > 700
    most_tasks, most_read = map(max, zip(*live, strict=True))
    # Submitted jobs, and those that the scheduler has not forgotten yet.
    assert most_tasks <= 4 * THREADS
    assert most_read <= 2 * THREADS + READ_AHEAD


def test_the_first_failure_is_raised_and_the_rest_cancelled(client: JobClient) -> None:
    read = []

    def listed() -> Iterator[Job]:
        for number in range(1000):
            read.append(number)
            # Only one thread may wait at the gate, because the other has to reach the failure.
            yield Job(number, {2: wait, 4: fail}.get(number, double), (number,))

    watched = Watched(client)
    seen: list[Any] = []

    def done(job: Job, answer: Any) -> None:
        seen.append(job.key)

    with pytest.raises(ValueError, match="job 4 broke"):
        run_bounded(watched, listed(), done)
    assert {2, 4}.isdisjoint(seen)
    assert len(read) < 1000
    assert len(watched.cancelled) == watched.submitted - len(seen) - 1 > 0


def test_a_failure_of_the_one_who_takes_answers_is_raised_too(client: JobClient) -> None:
    def done(job: Job, answer: Any) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_bounded(client, [Job(i, double, (i,)) for i in range(50)], done)
    assert run(client, [Job(1, double, (1,))])[0] == {1: 2}


def test_a_job_that_can_never_start_is_a_fault_and_not_forgotten(client: JobClient) -> None:
    with pytest.raises(RuntimeError):
        run(client, [Job("a", double, (1,)), Job("b", double, (2,), ("nobody",))])


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geochange.cluster.dask_jobs.CONNECT_S", 0.1)
    with (
        pytest.raises(
            OptionError, match=r"--scheduler tcp://127\.0\.0\.1:9: does not answer; start"
        ),
        connect("tcp://127.0.0.1:9", 0, None),
    ):
        raise AssertionError("connected to nobody")


def test_a_failure_that_is_spared_costs_what_waits_for_it_and_nothing_else(
    client: JobClient,
) -> None:
    spared: list[str] = []

    def spare(error: BaseException) -> bool:
        spared.append(str(error))
        return isinstance(error, ValueError)

    jobs = [
        Job("a", fail, (1,)),
        Job("b", double, (2,)),
        Job("c", double, (3,), ("a", "b")),
        Job("d", double, (4,), ("c",)),
        Job("e", double, (5,), ("b",)),
    ]
    answers: dict[Any, Any] = {}
    run_bounded(client, jobs, lambda job, answer: answers.update({job.key: answer}), spare)
    assert answers == {"b": 4, "e": 10}
    assert spared == ["job 1 broke"]


def test_a_failure_that_is_not_spared_still_ends_it(client: JobClient) -> None:
    with pytest.raises(ValueError, match="job 1 broke"):
        run_bounded(client, [Job("a", fail, (1,))], lambda *_: None, lambda error: False)


def test_threads_of_this_process_need_no_dask() -> None:
    with open_client(None, 0, None, 1) as threads:
        assert list(threads.nthreads().values()) == [cpu_count()]
        future = threads.submit(fail, 3)
        with pytest.raises(ValueError, match="job 3 broke"):
            future.result()
