"""Metrics file: the measurements of a training in metrics.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from geochange.errors import OutputError

METRIC_COLUMNS = (
    *("step", "lr", "loss", "val_loss", "iou", "f1", "precision", "recall"),
    *("accuracy", "miou", "kappa", "seconds"),
)
"""The columns of metrics.csv. The loss is the mean since the line before; the figures are those of
validation.
"""


class MetricsCsv:
    """Lines by step in folder/metrics.csv, appended as they come.

    step: where the training goes on. Lines of later steps were written by an interrupted training
    and are removed. more: columns besides METRIC_COLUMNS. Raises OutputError.
    """

    def __init__(self, folder: Path, step: int, more: tuple[str, ...] = ()) -> None:
        self._file, self._columns = folder / "metrics.csv", (*METRIC_COLUMNS, *more)
        kept = _rows_until(self._file, step, self._columns) if step else []
        with as_output_error(folder), self._file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, self._columns)
            writer.writeheader()
            writer.writerows(kept)

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line; values that were not measured stay empty."""
        with self._file.open("a", newline="", encoding="utf-8") as stream:
            line = {name: f"{value:.6g}" for name, value in values.items()}
            csv.DictWriter(stream, self._columns).writerow({"step": step, **line})

    def close(self, error: BaseException | None) -> None:
        """Nothing is left to do: each line is whole in the file."""


@contextmanager
def as_output_error(folder: Path) -> Iterator[None]:
    """Raise what the system says of a file in `folder` as OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{error.filename or folder}: cannot be written ({error.strerror}); move it away"
        ) from error


def _rows_until(file: Path, step: int, columns: tuple[str, ...]) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    lines: list[dict[str, str]] = []
    # Of a damaged file, as many lines are kept as can be read.
    with file.open(newline="", encoding="utf-8", errors="replace") as stream, suppress(csv.Error):
        for line in csv.DictReader(stream):
            if tuple(line) == columns and None not in line.values():
                lines.append(line)
    return [line for line in lines if line["step"].isdigit() and int(line["step"]) <= step]
