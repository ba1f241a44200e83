"""Several journals as one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from geochange.errors import OutputError
from geochange.training.journals import journal
from geochange.training.journals.journal import open_journals
from geochange.training.journals.mlflow_run import MlflowSettings


class Noted:
    """Stands in for MLflow."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, Mapping[str, float]]] = []
        self.errors: list[BaseException | None] = []

    def note(self, step: int, values: Mapping[str, float]) -> None:
        self.lines.append((step, values))

    def close(self, error: BaseException | None) -> None:
        self.errors.append(error)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    each = Noted()
    monkeypatch.setattr(journal, "MlflowRun", lambda folder, step, settings: each)
    return each


SETTINGS = MlflowSettings("sqlite:///runs.db", "geochange")


def test_all_get_the_same_measurements(tmp_path: Path, noted: Noted) -> None:
    with open_journals(tmp_path, 0, SETTINGS) as journals:
        journals.note(5, {"loss": 0.25})
    assert noted.lines == [(5, {"loss": 0.25})] and noted.errors == [None]
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1].startswith("5,,0.25,")
    assert list((tmp_path / "tensorboard").iterdir())


def test_all_are_told_what_ended_the_training(tmp_path: Path, noted: Noted) -> None:
    error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), open_journals(tmp_path, 0, SETTINGS):
        raise error
    assert noted.errors == [error]


def test_without_an_address_there_is_no_mlflow(tmp_path: Path, noted: Noted) -> None:
    with open_journals(tmp_path, 0) as journals:
        journals.note(5, {"loss": 0.25})
    assert noted.lines == [] and noted.errors == []


def test_one_that_cannot_be_opened_closes_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path, step: int, settings: MlflowSettings) -> None:
        raise OutputError("no store")

    closed: list[BaseException | None] = []
    monkeypatch.setattr(journal, "MlflowRun", refuse)
    monkeypatch.setattr(journal.TensorBoard, "close", lambda self, error: closed.append(error))
    with pytest.raises(OutputError, match="no store"), open_journals(tmp_path, 0, SETTINGS):
        pass
    assert [str(error) for error in closed] == ["no store"]
