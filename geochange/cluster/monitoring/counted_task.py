"""CountedTask: a task that sends the traffic of its worker with its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geochange.cluster.monitoring.worker_metrics import record_task
from geochange.storage.traffic import Traffic, counting


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """The result of a task, and what it read, wrote and tried again."""

    value: Any
    traffic: Traffic


@dataclass(frozen=True)
class CountedTask:
    """A function for workers whose traffic is counted. Dask shows it by the name of the function."""

    function: Callable[..., Any]

    @property
    def __name__(self) -> str:
        return self.function.__name__

    def __call__(self, *arguments: Any) -> TaskAnswer:
        """Call the function. A task that fails counts nothing, because it has no result."""
        with counting() as counter:
            value = self.function(*arguments)
        record_task(self.__name__, counter.total)
        return TaskAnswer(value, counter.total)
