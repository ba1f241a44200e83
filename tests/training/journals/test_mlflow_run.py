"""The run of MLflow: sent, resumed, ended, and kept through an outage. The store is a stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow_stand_in import FakeStore

from geochange.errors import OutputError
from geochange.training.journals import mlflow_run
from geochange.training.journals.mlflow_run import RUN_FILE, MlflowRun, MlflowSettings

SETTINGS = MlflowSettings("sqlite:///runs.db", "geochange", {"optim.lr": "0.1"})


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    fake = FakeStore()
    monkeypatch.setattr(mlflow_run, "MlflowStore", lambda uri, experiment: fake)
    return fake


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    return folder


def test_names_of_classes_become_names_that_mlflow_takes(store: FakeStore, out: Path) -> None:
    MlflowRun(out, 0, SETTINGS).note(10, {"iou_of_building (dense), N&S": 0.5})
    assert store.points == [("iou_of_building _dense__ N_S", 0.5, 10)]


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "FINISHED"), (KeyboardInterrupt(), "KILLED"), (RuntimeError(), "FAILED")],
)
def test_the_status_says_how_it_ended(
    store: FakeStore, out: Path, error: BaseException | None, status: str
) -> None:
    run = MlflowRun(out, 0, SETTINGS)
    run.note(10, {"loss": 0.5, "lr": 0.1})
    run.close(error)
    assert store.runs == {"small-0": status}
    assert store.params == [{"optim.lr": "0.1"}]
    assert store.points == [("loss", 0.5, 10), ("lr", 0.1, 10)]


def test_a_resumed_training_goes_on_in_its_run(store: FakeStore, out: Path) -> None:
    MlflowRun(out, 0, SETTINGS).close(KeyboardInterrupt())
    run = MlflowRun(out, 10, SETTINGS)
    assert store.runs == {"small-0": "RUNNING"}
    run.close(None)
    assert store.runs == {"small-0": "FINISHED"} and len(store.params) == 1


def test_a_training_from_the_first_step_is_another_run(store: FakeStore, out: Path) -> None:
    for _ in range(2):
        MlflowRun(out, 0, SETTINGS).close(None)
    assert list(store.runs) == ["small-0", "small-1"]
    assert (out / RUN_FILE).read_text() == "small-1\n"


def test_a_training_that_began_without_mlflow_gets_a_run(store: FakeStore, out: Path) -> None:
    MlflowRun(out, 10, SETTINGS)
    assert store.runs == {"small-0": "RUNNING"}


def test_a_run_of_another_store_is_refused_with_the_cure(store: FakeStore, out: Path) -> None:
    (out / RUN_FILE).write_bytes(b"\xff elsewhere\n")
    with pytest.raises(OutputError, match=rf"no run .*; or remove .*{RUN_FILE}, and a new run"):
        MlflowRun(out, 10, SETTINGS)
    (out / RUN_FILE).unlink()
    MlflowRun(out, 10, SETTINGS)


def test_an_outage_delays_measurements_and_stops_nothing(
    store: FakeStore, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = MlflowRun(out, 0, SETTINGS)
    store.down = True
    run.note(10, {"loss": 0.5})
    run.note(20, {"loss": 0.4})
    assert caplog.messages == ["measurements wait for MLflow: no answer"]
    store.down = False
    run.note(30, {"loss": 0.3})
    assert store.points == [("loss", 0.5, 10), ("loss", 0.4, 20), ("loss", 0.3, 30)]
    store.down = True
    run.close(None)
    assert caplog.messages[1:] == ["the run in MLflow stays open: no answer"]
