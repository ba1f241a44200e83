"""`train` with a run of MLflow: interrupted, resumed, and refused before any work."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from chip_folders import make_chips
from mlflow_stand_in import FakeStore

from geochange.config import TrainOptions
from geochange.errors import OptionError
from geochange.training.journals import mlflow_run
from geochange.workflows.train import train

pytestmark = pytest.mark.slow


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    fake = FakeStore()
    monkeypatch.setattr(mlflow_run, "MlflowStore", lambda uri, experiment: fake)
    return fake


def options(root: Path, **mlflow: Any) -> TrainOptions:
    return TrainOptions.parse(
        {
            "data": {"root": str(root), "workers": 0},
            "network": {"variant": "tiny", "start": None},
            "prompts": {"mode": "fixed"},
            "augment": {"size": 32},
            "optim": {"steps": 3, "warmup_steps": 1, "batch": 2},
            "validation": {"every": 3, "sheet": 0},
            "device": {"threads": 1},
            "log_every": 1,
            "mlflow": mlflow,
        }
    )


def test_a_resumed_training_is_one_run(store: FakeStore, tmp_path: Path) -> None:
    chips = make_chips(tmp_path / "chips", {"train": 2, "val": 1})
    wanted = options(chips, uri="sqlite:///runs.db")

    def interrupt(stage: str, done: int, total: int, note: str) -> None:
        if stage == "learn" and done == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(wanted, tmp_path / "out", watch=interrupt)
    assert store.runs == {"out-0": "KILLED"}
    train(wanted, tmp_path / "out", resume=True)
    assert store.runs == {"out-0": "FINISHED"}
    assert [step for name, _, step in store.points if name == "loss"] == [1, 2, 3]
    assert {"iou", "val_loss", "lr"} <= {name for name, _, _ in store.points}
    (params,) = store.params
    assert params["optim.steps"] == "3" and not any("mlflow" in name for name in params)


def test_a_secret_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    chips = make_chips(tmp_path / "chips", {"train": 2, "val": 1})
    with pytest.raises(OptionError, match="options are kept in files") as refused:
        train(options(chips, uri="https://me:hunter2@host"), tmp_path / "out")
    assert "hunter2" not in str(refused.value) and not (tmp_path / "out").exists()
