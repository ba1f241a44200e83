"""Converting: any checkpoint that is read, as one of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import torch

from geochange.models.card import Card
from geochange.models.changeclip import ChangeClip
from geochange.models.checkpoint import read_checkpoint, write_checkpoint
from geochange.models.foreign import fill


def convert(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, half: bool = False
) -> Card:
    """Rewrite a checkpoint of any kind that is read as one of ours; returns its card.

    half: in float16, which is half the size; what it is read into is float32 again.
    """
    checkpoint = read_checkpoint(source)
    fill(ChangeClip(checkpoint.card.options), checkpoint.tensors)
    if half:
        tensors, clip = _halved(checkpoint.tensors), _halved(checkpoint.clip)
        checkpoint = replace(checkpoint, tensors=tensors, clip=clip)
    write_checkpoint(target, checkpoint)
    return checkpoint.card


def _halved(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: x.half() if x.is_floating_point() else x for name, x in tensors.items()}
