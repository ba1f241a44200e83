"""The order of jobs that wait for others, whatever the number of those that wait."""

from __future__ import annotations

from geochange.cluster.job_queue import Job, JobQueue


def job(key: str, *after: str) -> Job:
    return Job(key, len, (key,), after)


def keys_of(queue: JobQueue) -> list[object]:
    found = []
    while (ready := queue.next()) is not None:
        found.append(ready.key)
    return found


def test_jobs_come_in_order_and_those_that_waited_first() -> None:
    queue = JobQueue([job("a"), job("b"), job("ab", "a", "b"), job("aa", "a", "a"), job("c")], 9)
    assert keys_of(queue) == ["a", "b", "c"]
    assert queue.waiting == 2 and queue.blocked_key() in ("ab", "aa")
    queue.finish("a")
    assert keys_of(queue) == ["aa"]
    queue.finish("b")
    assert keys_of(queue) == ["ab"]
    assert queue.waiting == 0


def test_reading_pauses_while_as_many_wait() -> None:
    listed = iter([job("a"), *(job(str(number), "a") for number in range(9))])
    queue = JobQueue(listed, 3)
    assert keys_of(queue) == ["a"]
    assert len(list(listed)) == 9 - 3


def test_what_waits_for_a_lost_job_is_dropped_and_so_on() -> None:
    queue = JobQueue([job("a"), job("b"), job("c", "a", "b"), job("d", "c"), job("e", "b")], 9)
    assert keys_of(queue) == ["a", "b"]
    queue.lose("a")
    assert queue.waiting == 1
    queue.finish("b")
    assert keys_of(queue) == ["e"]
    assert queue.waiting == 0


def test_a_job_listed_after_the_loss_is_dropped_too() -> None:
    queue = JobQueue([job("a"), job("c", "b"), job("d", "c"), job("e")], 9)
    assert queue.next() == job("a")
    queue.lose("b")
    assert keys_of(queue) == ["e"]
