"""Journals: the one interface through which a training tells its measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geochange.training.journals.metrics_csv import MetricsCsv
from geochange.training.journals.mlflow_run import MlflowRun, MlflowSettings
from geochange.training.journals.tensorboard import TensorBoard


class Journal(Protocol):
    """Keeps measurements by step. Steps come in ascending order."""

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Keep what was measured after so many steps, by name."""
        ...

    def close(self, error: BaseException | None) -> None:
        """Finish. error: what ended the training early; None if it took all of its steps."""
        ...


@dataclass(frozen=True)
class Journals:
    """Several journals as one."""

    journals: tuple[Journal, ...]

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Tell all of them."""
        for journal in self.journals:
            journal.note(step, values)

    def close(self, error: BaseException | None) -> None:
        """Finish all of them."""
        with ExitStack() as rest:  # each is finished, whatever happens to another
            for journal in reversed(self.journals):
                rest.callback(journal.close, error)


@contextmanager
def open_journals(
    folder: Path, step: int, mlflow: MlflowSettings | None = None, more: tuple[str, ...] = ()
) -> Iterator[Journal]:
    """The journals of a training in `folder`: metrics.csv, TensorBoard and, if named, MLflow.

    step: where the training goes on. more: columns of metrics.csv besides the usual ones. Raises
    OutputError where one cannot be written.
    """
    journals: list[Journal] = []
    try:
        journals += [MetricsCsv(folder, step, more), TensorBoard(folder, step)]
        if mlflow is not None:
            journals.append(MlflowRun(folder, step, mlflow))
        yield Journals(tuple(journals))
    except BaseException as error:
        Journals(tuple(journals)).close(error)
        raise
    Journals(tuple(journals)).close(None)
