"""Metrics log: the measurements of a training, in metrics.csv and for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tensorboardX import SummaryWriter

from geochange.errors import OutputError

METRIC_COLUMNS = (
    *("step", "lr", "loss", "val_loss", "iou", "f1", "precision", "recall"),
    *("accuracy", "miou", "kappa", "seconds"),
)
"""The columns of metrics.csv. The loss is the mean since the line before; the figures are those of
validation.
"""


class MetricsLog:
    """Lines by step, appended as they come.

    step: where the training goes on. Lines of later steps were written by an interrupted training
    and are removed. more: columns besides METRIC_COLUMNS. Raises OutputError.
    """

    def __init__(self, folder: Path, step: int, more: tuple[str, ...] = ()) -> None:
        self._file, self._columns = folder / "metrics.csv", (*METRIC_COLUMNS, *more)
        kept = _rows_until(self._file, step, self._columns) if step else []
        try:
            with self._file.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, self._columns)
                writer.writeheader()
                writer.writerows(kept)
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        except OSError as error:
            raise OutputError(
                f"{error.filename or folder}: cannot be written ({error.strerror}); move it away"
            ) from error

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line; values that were not measured stay empty."""
        with self._file.open("a", newline="", encoding="utf-8") as stream:
            line = {name: f"{value:.6g}" for name, value in values.items()}
            csv.DictWriter(stream, self._columns).writerow({"step": step, **line})
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Finish the event file of TensorBoard."""
        self._board.close()


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
