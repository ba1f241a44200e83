"""Prometheus figures of a worker process. Dask serves them at /metrics of its workers.

Nothing is counted where prometheus_client is not installed, and no port is opened here.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any

from geochange.storage.traffic import Traffic

BYTES = {
    "input_read": "input_bytes",
    "work_read": "work_read_bytes",
    "work_written": "work_written_bytes",
}
"""The label `kind` of geochange_bytes_total, and the field of Traffic."""


def record_task(task: str, traffic: Traffic) -> None:
    """Count a task that is done."""
    counters = _counters()
    if counters is None:
        return
    tasks, retries, moved = counters
    tasks.labels(task=task).inc()
    retries.inc(traffic.retries)
    for kind, field in BYTES.items():
        moved.labels(kind=kind).inc(getattr(traffic, field))


_made: list[tuple[Any, Any, Any] | None] = []
_lock = threading.Lock()


def _counters() -> tuple[Any, Any, Any] | None:
    """The counters of this process; None without the library."""
    with _lock:  # the registry refuses a second counter of a name
        if not _made:
            _made.append(_make_counters())
        return _made[0]


def _make_counters() -> tuple[Any, Any, Any] | None:
    """Counters in the registry that Dask serves; None without the library."""
    try:
        # By name: there need not be types of it.
        counter = importlib.import_module("prometheus_client").Counter
    except ImportError:
        return None
    return (
        counter(
            "geochange_tasks", "Tasks that are done: blocks of tiles, output blocks.", ["task"]
        ),
        counter("geochange_retries", "Reads of the inputs that failed and were repeated."),
        counter("geochange_bytes", "Bytes that tasks read and wrote.", ["kind"]),
    )
