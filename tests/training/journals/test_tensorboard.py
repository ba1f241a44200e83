"""Event files for TensorBoard."""

from __future__ import annotations

from pathlib import Path

import pytest

from geochange.errors import OutputError
from geochange.training.journals.tensorboard import TensorBoard


def test_values_become_an_event_file(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, 0)
    board.note(10, {"loss": 0.5})
    board.close(None)
    (file,) = (tmp_path / "tensorboard").glob("events.out.tfevents.*")
    assert b"loss" in file.read_bytes()


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("no folder")
    with pytest.raises(OutputError, match=r"tensorboard.*cannot be written"):
        TensorBoard(tmp_path, 0)
