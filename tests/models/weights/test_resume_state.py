from __future__ import annotations

from pathlib import Path

import pytest
import torch
from changeclip_cases import SMALL, small
from safetensors.torch import save_file

from geochange.errors import InputError
from geochange.models.weights.checkpoint import (
    Checkpoint,
    read_card,
    read_checkpoint,
    read_training,
    write_checkpoint,
)
from geochange.models.weights.convert import convert
from geochange.models.weights.model_card import Card
from geochange.models.weights.resume_state import ResumeState, read_resume_state

pytestmark = pytest.mark.slow


def _checkpoint() -> Checkpoint:
    return Checkpoint(Card(SMALL["resnet"]), small("resnet").state_dict())


def test_what_training_left_lies_beside_the_network_and_is_not_part_of_it(tmp_path: Path) -> None:
    written, file = _checkpoint(), tmp_path / "last.safetensors"
    memory = ResumeState(
        {"optimiser.a.exp_avg": torch.arange(3.0)}, {"step": 7, "options": {"lr": 1e-4}}
    )
    write_checkpoint(file, written, memory)
    read, remembered = read_checkpoint(file), read_resume_state(file)
    assert read.card == written.card and read.tensors.keys() == written.tensors.keys()
    assert remembered.facts == memory.facts
    assert remembered.tensors.keys() == memory.tensors.keys()
    assert torch.equal(remembered.tensors["optimiser.a.exp_avg"], torch.arange(3.0))
    convert(file, tmp_path / "slim.safetensors")
    assert (tmp_path / "slim.safetensors").stat().st_size < file.stat().st_size
    with pytest.raises(InputError, match="holds no training state to resume"):
        read_resume_state(tmp_path / "slim.safetensors")


def test_a_damaged_memory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "last.safetensors"
    write_checkpoint(file, _checkpoint(), ResumeState({}, {}))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="truncated or damaged"):
        read_resume_state(file)
    save_file({}, file, metadata={"geochange.training": "{"})
    with pytest.raises(InputError, match="truncated or damaged"):
        read_resume_state(file)


def test_one_reading_gives_what_two_give(tmp_path: Path) -> None:
    file = tmp_path / "last.safetensors"
    write_checkpoint(file, _checkpoint(), ResumeState({"optimiser.a": torch.ones(2)}, {"step": 7}))
    checkpoint, memory = read_training(file)
    alone, remembered = read_checkpoint(file), read_resume_state(file)
    assert checkpoint.card == alone.card == read_card(file) and memory.facts == remembered.facts
    assert checkpoint.tensors.keys() == alone.tensors.keys()
    assert all(torch.equal(alone.tensors[n], x) for n, x in checkpoint.tensors.items())
    assert memory.tensors.keys() == remembered.tensors.keys() == {"optimiser.a"}
    assert torch.equal(memory.tensors["optimiser.a"], torch.ones(2))


def test_a_file_without_a_training_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "slim.safetensors", _checkpoint())
    with pytest.raises(InputError, match=r"slim\.safetensors: holds no training state to resume"):
        read_training(tmp_path / "slim.safetensors")


def test_a_card_is_read_from_a_checkpoint_alone(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors: is no checkpoint of geochange"):
        read_card(tmp_path / "other.safetensors")
