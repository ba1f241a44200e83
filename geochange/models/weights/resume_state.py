"""The state of a training, which is stored in the file of its network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from geochange.errors import InputError
from geochange.files.bounded_read import parse_json
from geochange.models.weights.locate import locate_weights
from geochange.models.weights.tensor_file import (
    TRAINING_PREFIX,
    file_errors,
    open_safetensors,
    read_checked,
)

RESUME_KEY = "geochange.training"
"""The header key of the facts."""


@dataclass(frozen=True, slots=True)
class ResumeState:
    """The state of a training besides the network: tensors by name, and values for JSON.

    It is stored in the file of the network, under names that no network uses.
    """

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]


def read_resume_state(file: str | os.PathLike[str]) -> ResumeState:
    """The training state in a checkpoint of geochange. Raises InputError if it has none."""
    path = locate_weights(file)
    with _open_resume_state(path) as (opened, names, header, facts):
        wanted = {name for name in names if name.startswith(TRAINING_PREFIX)}
        tensors = read_checked(opened, names, header, wanted)
        return ResumeState({n.removeprefix(TRAINING_PREFIX): x for n, x in tensors.items()}, facts)


def read_facts(file: str | os.PathLike[str]) -> Mapping[str, Any]:
    """The facts of `read_resume_state` without reading tensors. Raises InputError in the same way."""
    path = locate_weights(file)
    with _open_resume_state(path) as (*_, facts):
        return facts


@contextmanager
def _open_resume_state(
    path: Path,
) -> Iterator[tuple[Any, list[str], Mapping[str, str], dict[str, Any]]]:
    """An open file with a training state, its tensor names, header and facts. Raises InputError."""
    with file_errors(path), open_safetensors(path) as (opened, names, header):
        yield opened, names, header, resume_facts(header)


def resume_facts(header: Mapping[str, str]) -> dict[str, Any]:
    """The facts in the header of an open file; within `file_errors`.

    Raises InputError without any, and what `parse_json` raises.
    """
    facts = header.get(RESUME_KEY)
    if facts is None:
        raise InputError("holds no training state to resume; start afresh")
    return dict(parse_json(facts))
