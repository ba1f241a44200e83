"""TensorBoard: the measurements of a training as event files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter

from geochange.training.journals.metrics_csv import as_output_error


class TensorBoard:
    """Event files in folder/tensorboard. TensorBoard itself is not needed.

    step: where the training goes on. Later steps of an interrupted training are hidden. Raises
    OutputError.
    """

    def __init__(self, folder: Path, step: int) -> None:
        with as_output_error(folder):
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to the curve of each value."""
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self, error: BaseException | None) -> None:
        """Finish the event file."""
        self._board.close()
