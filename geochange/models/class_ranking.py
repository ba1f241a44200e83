"""Class ranking: ranks the class names of a vocabulary for chips with CLIP, and makes tags for files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import torch

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.models.clip_scorer import ClipScorer, build_scorer
from geochange.models.inference.batch import collate
from geochange.models.prompts import Names, published_vocabulary
from geochange.models.weights.checkpoint import read_clip
from geochange.models.weights.locate import as_input_error, clip_file

Ranking = tuple[tuple[str, float], ...]
"""All names of a vocabulary with their probabilities, sorted by falling probability."""

PUBLISHED_CLIP = "vit16"
"""The authors' name of OpenAI's ViT-B/16 in file names."""

_PUBLISHED_SHA256 = "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"
_DIGITS = 8


class ClassNamer:
    """A CLIP that ranks the names of a vocabulary by how well they fit a chip.

    It computes in float32. On a CPU it processes chips one at a time, as the detector does, so both
    choose the same nine names. On a GPU it processes all chips of one shape together.
    """

    def __init__(self, scorer: ClipScorer, vocabulary: Names, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.scorer = scorer.to(self.device).to(memory_format=torch.channels_last)
        self.vocabulary = vocabulary

    @torch.inference_mode()
    def rank(self, chips: Sequence[Chip]) -> list[tuple[Ranking, Ranking]]:
        """Ranked names of each chip, before and after.

        Names with equal probability keep the order of the vocabulary.
        """
        ranked: list[tuple[Ranking, Ranking]] = []
        for together in self._passes(chips):
            batch = collate(together, self.device)
            scores = self.scorer(torch.cat([batch.before, batch.after])).float().cpu()
            both = rankings(scores, self.vocabulary)
            count = len(together)
            ranked += zip(both[:count], both[count:], strict=True)
        return ranked

    def _passes(self, chips: Sequence[Chip]) -> Iterator[list[Chip]]:
        if self.device.type == "cpu":
            yield from ([chip] for chip in chips)
        else:
            yield from (list(alike) for _, alike in groupby(chips, key=lambda chip: chip.shape))


def rankings(scores: torch.Tensor, vocabulary: Names) -> list[Ranking]:
    """(B, V) probabilities -> the names of each row by falling probability, ties in given order."""
    falling = scores.sort(dim=1, descending=True, stable=True)
    rows = zip(falling.indices.tolist(), falling.values.tolist(), strict=True)
    return [
        tuple((vocabulary[place], value) for place, value in zip(places, values, strict=True))
        for places, values in rows
    ]


def read_class_namer(clip: str, vocabulary: Names, device: str) -> ClassNamer:
    """Read a CLIP under any name that `read_clip` takes, and embed a vocabulary. Raises InputError."""
    found = read_clip(clip, "train with prompts.mode=fixed, which needs no CLIP")
    with as_input_error(found.source):
        scorer = build_scorer(found.tensors, found.quickgelu, vocabulary)
    return ClassNamer(scorer, vocabulary, device)


def clip_tag(name: str) -> str:
    """A short, unique tag of a CLIP for file names.

    OpenAI's ViT-B/16 is `vit16`, as published, under any name. Other published models have their
    MODEL/TAG in lower case, files their name and the start of their SHA-256. Raises InputError for a
    missing file.
    """
    model, file = clip_file(name)
    if file is not None:
        digest = _sha256(file)
        if digest == _PUBLISHED_SHA256 and (not model or "quickgelu" in model):
            return PUBLISHED_CLIP
        return f"{_slug(model or file.stem)}-{digest[:_DIGITS]}"
    model, _, tag = name.partition("/")
    tag = tag or "openai"
    # OpenAI's weights always need QuickGELU, also if the name of the model does not say so.
    if (model.removesuffix("-quickgelu"), tag) == ("ViT-B-16", "openai"):
        return PUBLISHED_CLIP
    return _slug(f"{model}-{tag}")


def vocabulary_tag(vocabulary: Names) -> str:
    """The number of names, and a digest unless they are the published 56."""
    count = str(len(vocabulary))
    if vocabulary == published_vocabulary():
        return count
    return f"{count}-{hashlib.sha256(chr(10).join(vocabulary).encode()).hexdigest()[:_DIGITS]}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
