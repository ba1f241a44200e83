"""metrics.csv."""

from __future__ import annotations

import csv
from pathlib import Path

from geochange.training.journals.metrics_csv import METRIC_COLUMNS, MetricsCsv


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_lines_hold_what_was_measured_and_leave_the_rest_empty(tmp_path: Path) -> None:
    journal = MetricsCsv(tmp_path, 0)
    journal.note(10, {"loss": 0.51234567, "lr": 1e-5})
    journal.note(20, {"iou": 0.25})
    journal.close(None)
    first, second = lines(tmp_path)
    assert tuple(first) == METRIC_COLUMNS
    assert (first["step"], first["loss"], first["lr"], first["iou"]) == (
        "10",
        "0.512346",
        "1e-05",
        "",
    )
    assert (second["step"], second["iou"], second["loss"]) == ("20", "0.25", "")


def test_going_on_drops_the_lines_of_a_future_that_did_not_come(tmp_path: Path) -> None:
    journal = MetricsCsv(tmp_path, 0)
    for step in (10, 20, 30):
        journal.note(step, {"loss": step})
    journal.close(None)
    journal = MetricsCsv(tmp_path, 20)
    journal.note(25, {"loss": 25})
    journal.close(None)
    assert [line["step"] for line in lines(tmp_path)] == ["10", "20", "25"]


def test_a_new_training_begins_with_an_empty_page(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("something,else\n1,2\n")
    MetricsCsv(tmp_path, 0).close(None)
    assert lines(tmp_path) == []
    (tmp_path / "metrics.csv").write_text("something,else\n1,2\n")
    MetricsCsv(tmp_path, 5).close(None)
    assert lines(tmp_path) == []
