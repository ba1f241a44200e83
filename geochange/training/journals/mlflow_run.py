"""MLflow: the measurements of a training as one run, which a resumed training goes on with."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geochange.errors import OutputError
from geochange.files.atomic import write_text
from geochange.files.bounded_read import read_bytes
from geochange.training.journals.mlflow_store import MlflowStore, Point

logger = logging.getLogger(__name__)

RUN_FILE = "mlflow_run.txt"
"""The file with the id of the run, beside the checkpoints."""

MOST_BYTES = 200
"""Longer than the id of a run."""


@dataclass(frozen=True, slots=True)
class MlflowSettings:
    """Where the run is kept.

    uri: of the tracking store, such as sqlite:///runs.db or https://HOST. params: the options of the
    training, by name.
    """

    uri: str
    experiment: str
    params: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> MlflowStore:
        """The store. Raises MissingDependencyError, OptionError, OutputError."""
        return MlflowStore(self.uri, self.experiment)


class MlflowRun:
    """A run of an MLflow store, named after the folder of the training.

    step: where the training goes on; above 0 the run is that of `folder`, if it has one. Points of
    later steps stay in MLflow, which removes none. Raises MissingDependencyError, OptionError,
    OutputError.
    """

    def __init__(self, folder: Path, step: int, settings: MlflowSettings) -> None:
        self._store = settings.open()
        self._waiting: list[Point] = []
        self._lost = False
        file = folder / RUN_FILE
        if step and file.is_file():
            found = read_bytes(file, MOST_BYTES, "the id of a run")
            self._run = found.decode("ascii", "replace").strip()
            self._resume(file)
        else:
            self._run = self._store.start(folder.absolute().name, settings.params)
            write_text(file, f"{self._run}\n")

    def _resume(self, file: Path) -> None:
        try:
            self._store.resume(self._run)
        except OutputError as error:
            raise OutputError(
                f"{error}; or remove {file}, and a new run begins in MLflow"
            ) from error

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Send the measurements. A store that does not answer gets them with the next ones."""
        now = int(time.time() * 1000)
        self._waiting += [
            (_metric_name(name), float(value), now, step) for name, value in values.items()
        ]
        self._send()

    def close(self, error: BaseException | None) -> None:
        """End the run: FINISHED, KILLED by Ctrl-C, or FAILED."""
        status = "FINISHED" if error is None else "FAILED"
        if isinstance(error, KeyboardInterrupt):
            status = "KILLED"
        try:
            self._send()
            self._store.finish(self._run, status)
        except OutputError as fault:
            logger.warning("the run in MLflow stays open: %s", fault)

    def _send(self) -> None:
        """Send what waits. A training goes on without its store: metrics.csv has all of it."""
        try:
            if self._waiting:
                self._store.add(self._run, self._waiting)
        except OutputError as error:
            if not self._lost:
                logger.warning("measurements wait for MLflow: %s", error)
            self._lost = True
            return
        self._waiting, self._lost = [], False


def _metric_name(name: str) -> str:
    """A name that MLflow takes; classes of a data set may be called otherwise."""
    return re.sub(r"[^A-Za-z0-9_\-. ]", "_", name)
