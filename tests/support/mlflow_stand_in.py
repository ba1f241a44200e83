"""A store of MLflow that keeps runs in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from geochange.errors import OutputError
from geochange.training.journals.mlflow_store import Point


@dataclass
class FakeStore:
    """down: it does not answer."""

    runs: dict[str, str] = field(default_factory=dict)
    params: list[Mapping[str, str]] = field(default_factory=list)
    points: list[tuple[str, float, int]] = field(default_factory=list)
    down: bool = False

    def start(self, name: str, params: Mapping[str, str]) -> str:
        run = f"{name}-{len(self.runs)}"
        self.runs[run] = "RUNNING"
        self.params.append(params)
        return run

    def resume(self, run: str) -> None:
        if run not in self.runs:
            raise OutputError(f"no run {run}")
        self.runs[run] = "RUNNING"

    def add(self, run: str, points: Sequence[Point]) -> None:
        if self.down:
            raise OutputError("no answer")
        self.points += [(name, value, step) for name, value, _, step in points]

    def finish(self, run: str, status: str) -> None:
        if self.down:
            raise OutputError("no answer")
        self.runs[run] = status
