"""Stores of MLflow: addresses without secrets, one-line refusals, and the real client where it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from geochange.errors import MissingDependencyError, OptionError, OutputError
from geochange.training.journals.mlflow_store import ENVIRONMENT, MlflowStore, check_uri


@pytest.mark.parametrize(
    "uri",
    [
        *("https://me:hunter2@host/mlflow", "https://hunter2@host", "http://host/?token=hunter2"),
        *("postgresql+psycopg2://me:hunter2@host/runs", "mysql://host/runs?password=hunter2"),
        *("mysql://host/runs?passwd=hunter2", "//me:hunter2@host/runs"),
        "mssql+pyodbc:///?odbc_connect=DRIVER;PWD=hunter2",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(OptionError, match="MLFLOW_TRACKING_PASSWORD") as refused:
        check_uri(uri)
    assert "hunter2" not in str(refused.value)


def test_a_database_file_needs_its_folder(tmp_path: Path) -> None:
    check_uri(f"sqlite:///{tmp_path}/runs.db")
    with pytest.raises(OptionError, match="gone is no folder; make it first"):
        check_uri(f"sqlite:///{tmp_path}/gone/runs.db")


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store sets in the environment ends with the test."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_a_missing_package_is_one_line_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'geochange\[mlflow\]'$"):
        MlflowStore("sqlite:///runs.db", "geochange")


def test_usage_is_not_reported_unless_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingDependencyError):
        MlflowStore("sqlite:///runs.db", "geochange")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"


@pytest.mark.slow
def test_the_real_client_keeps_a_run_in_a_database_file(
    tmp_path: Path, quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    uri = "sqlite:///runs.db"
    store = MlflowStore(uri, "roofs")
    run = store.start("small", {f"option.{n}": "x" * 1000 for n in range(150)})
    store.add(run, [("loss", 0.5, 1, step) for step in (1, 2)])
    store.finish(run, "KILLED")
    again = MlflowStore(uri, "roofs")
    again.resume(run)
    again.add(run, [("loss", float("nan"), 2, 3)])
    again.finish(run, "FINISHED")
    kept = again._client.get_run(run)
    assert (kept.info.status, kept.info.run_name, len(kept.data.params)) == (
        *("FINISHED", "small"),
        150,
    )
    history = again._client.get_metric_history(run, "loss")
    assert [point.step for point in history] == [1, 2, 3]
    with pytest.raises(OutputError, match=r"^mlflow.uri sqlite:///runs.db: .*gone.*; check"):
        again.resume("gone")
    assert os.listdir(tmp_path) == ["runs.db"]
