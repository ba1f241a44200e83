"""MLflow's tracking stores: a database file, a database or a server, by the package mlflow.

Nothing but the store is contacted: MLflow's own reports of usage are switched off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from geochange.errors import MissingDependencyError, OptionError, OutputError, one_line
from geochange.files.file_names import without_secrets

ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""What MLflow does unless the user's environment says otherwise. A training waits for each request."""

SQLITE: Final = "sqlite:///"

PARAMS_AT_ONCE, POINTS_AT_ONCE, LONGEST_PARAM = 100, 1000, 500
"""MLflow's limits, of the oldest servers."""

Point = tuple[str, float, int, int]
"""A measurement: name, value, milliseconds since 1970, step."""


def check_uri(uri: str) -> None:
    """Refuse secrets in an address, and a database file without its folder. Raises OptionError.

    Options are kept in YAML files, checkpoints and messages, so that a secret in one of them is public.
    """
    # Databases have options of their own for secrets, under many names.
    hidden = not uri.startswith(SQLITE) and any(sign in uri for sign in "?@")
    if hidden or without_secrets(uri) != uri:
        raise OptionError(
            "mlflow.uri holds a user, a password or a token, and options are kept in files; set them in "
            "the environment instead: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN, or what the database has, such as PGUSER and PGPASSWORD"
        )
    folder = Path(uri.removeprefix(SQLITE)).parent
    if uri.startswith(SQLITE) and not folder.is_dir():
        raise OptionError(f"mlflow.uri {uri}: {folder} is no folder; make it first")


class MlflowStore:
    """An experiment in a tracking store.

    Raises MissingDependencyError without the package, OptionError for an address that names no store,
    OutputError where the store does not answer.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        check_uri(uri)
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._uri, self._mlflow = uri, _import_mlflow()
        with self._as_error():
            # Nothing is registered as a model. The small package knows no registry in a database.
            self._client = self._mlflow.MlflowClient(uri, registry_uri=Path.cwd().as_uri())
            self._experiment = self._find_or_create(experiment)

    def _find_or_create(self, experiment: str) -> str:
        """The id of an experiment, which another process may be creating now."""
        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            try:
                created: str = self._client.create_experiment(experiment)
                return created
            except self._mlflow.MlflowException:
                found = self._client.get_experiment_by_name(experiment)
                if found is None:
                    raise
        known: str = found.experiment_id
        return known

    def start(self, name: str, params: Mapping[str, str]) -> str:
        """Start a run; returns its id. Raises OutputError."""
        entities = self._mlflow.entities
        listed = [entities.Param(key, value[:LONGEST_PARAM]) for key, value in params.items()]
        with self._as_error():
            run: str = self._client.create_run(self._experiment, run_name=name).info.run_id
            for first in range(0, len(listed), PARAMS_AT_ONCE):
                self._client.log_batch(run, params=listed[first : first + PARAMS_AT_ONCE])
        return run

    def resume(self, run: str) -> None:
        """Go on with a run. Raises OutputError if the store has no such run."""
        with self._as_error():
            self._client.update_run(run, status="RUNNING")

    def add(self, run: str, points: Sequence[Point]) -> None:
        """Add measurements. Raises OutputError."""
        metrics = [self._mlflow.entities.Metric(*point) for point in points]
        with self._as_error():
            for first in range(0, len(metrics), POINTS_AT_ONCE):
                self._client.log_batch(run, metrics=metrics[first : first + POINTS_AT_ONCE])

    def finish(self, run: str, status: str) -> None:
        """End a run as FINISHED, KILLED or FAILED. Raises OutputError."""
        with self._as_error():
            self._client.set_terminated(run, status)

    @contextmanager
    def _as_error(self) -> Iterator[None]:
        """Raise what goes wrong in the store as OutputError, in one line."""
        try:
            yield
        except (self._mlflow.MlflowException, OSError, *_database_errors()) as error:
            raise OutputError(
                f"mlflow.uri {self._uri}: {one_line(error)}; check the address and the network, or "
                "leave mlflow.uri out: metrics.csv has the same figures"
            ) from error


def _import_mlflow() -> Any:
    try:
        import mlflow
        import mlflow.entities
    except ImportError as error:
        raise MissingDependencyError(
            "mlflow.uri needs the package mlflow; install it with pip install 'geochange[mlflow]'"
        ) from error
    return mlflow


def _database_errors() -> tuple[type[Exception], ...]:
    """Errors that MLflow does not wrap; none where no database can be used."""
    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        return ()
    return (SQLAlchemyError,)
