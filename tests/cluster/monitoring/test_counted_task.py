"""A task sends what it moved with its result, and a worker with Prometheus counts it."""

from __future__ import annotations

import pickle
import sys
from collections import Counter
from types import ModuleType
from typing import Any

import pytest
from dask.utils import funcname

from geochange.cluster.monitoring import worker_metrics
from geochange.cluster.monitoring.counted_task import CountedTask, TaskAnswer
from geochange.storage.traffic import Traffic, count


def infer_block(number: int) -> int:
    count(Traffic(input_bytes=number, retries=1))
    return 2 * number


def test_the_answer_comes_with_its_traffic() -> None:
    task = pickle.loads(pickle.dumps(CountedTask(infer_block)))
    assert funcname(task) == "infer_block"
    assert task(21) == TaskAnswer(42, Traffic(input_bytes=21, retries=1))
    assert pickle.loads(pickle.dumps(task(1))) == TaskAnswer(2, Traffic(input_bytes=1, retries=1))


def test_a_worker_with_prometheus_counts_tasks_bytes_and_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: Counter[Any] = Counter()

    class Metric:
        def __init__(self, name: str, text: str, labels: tuple[str, ...] = ()) -> None:
            self.key: Any = name

        def labels(self, **values: str) -> Metric:
            with_labels = Metric("", "")
            with_labels.key = (self.key, *values.values())
            return with_labels

        def inc(self, amount: float = 1) -> None:
            counted[self.key] += amount  # type: ignore[assignment]

    library = ModuleType("prometheus_client")
    library.Counter = Metric  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "prometheus_client", library)
    monkeypatch.setattr(worker_metrics, "_made", [])
    CountedTask(infer_block)(5)
    CountedTask(infer_block)(6)
    assert +counted == {
        ("geochange_tasks", "infer_block"): 2,
        "geochange_retries": 2,
        ("geochange_bytes", "input_read"): 11,
    }


def test_a_worker_without_prometheus_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.setattr(worker_metrics, "_made", [])
    assert CountedTask(infer_block)(5).value == 10
    assert worker_metrics._made == [None]
