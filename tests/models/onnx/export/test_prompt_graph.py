"""Tokens that a graph puts together are those of the encoder."""

from __future__ import annotations

import random

import pytest
import torch

from geochange.errors import InputError
from geochange.models.onnx.export.prompt_graph import NamePrompter
from geochange.models.prompts import (
    NAMES_PER_CHIP,
    best_names,
    foreground_tokens,
    published_vocabulary,
)

pytestmark = pytest.mark.slow

LONG = tuple(f"a very large field of {word} in the far north" for word in "abcdefghijkl")
WIDE = tuple(" ".join([word] * 30) for word in ("tree", "lake", "road", *"abcdefg"))


@pytest.mark.parametrize(
    ("vocabulary", "places"),
    [(published_vocabulary(), 64), (LONG, 64), (WIDE, 20), (LONG, 24)],
    ids=["published", "some left out", "the first is cut", "one fits"],
)
def test_tokens_are_those_of_the_encoder(vocabulary: tuple[str, ...], places: int) -> None:
    prompter = NamePrompter(vocabulary, places)
    draw = random.Random(3)
    rows = [[draw.random() for _ in vocabulary] for _ in range(9)]
    scores = torch.tensor(rows)
    expected = [foreground_tokens(names, places) for names in best_names(scores, vocabulary)]
    assert prompter(scores).tolist() == expected


def test_names_whose_tokens_depend_on_their_neighbours_are_refused() -> None:
    names = (*published_vocabulary()[: NAMES_PER_CHIP - 1], "barn (old)")
    with pytest.raises(InputError, match="cannot be put together inside a graph"):
        NamePrompter(names, 64)
