"""What was trained first to its last step is kept; a damaged file of it is trained again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from file_damage import DAMAGES

from geochange.models.weights.checkpoint import write_clip
from geochange.models.weights.resume_state import ResumeState
from geochange.trainer.pretrained import DONE, is_done


def test_a_clip_counts_as_done_after_its_last_step(tmp_path: Path) -> None:
    file = tmp_path / "clip.safetensors"
    assert not is_done(file)
    write_clip(file, {"a": torch.ones(3)}, ResumeState({}, {"step": 4, DONE: False}))
    assert not is_done(file)
    write_clip(file, {"a": torch.ones(3)}, ResumeState({}, {"step": 9, DONE: True}))
    assert is_done(file)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty"])
def test_a_damaged_clip_is_removed_with_a_word(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "clip.safetensors"
    write_clip(file, {"a": torch.ones(300)}, ResumeState({}, {"step": 9, DONE: True}))
    DAMAGES[damage](file)
    assert not is_done(file)
    assert not file.exists()
    assert "it is trained again" in caplog.text
