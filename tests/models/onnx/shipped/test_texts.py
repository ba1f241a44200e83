"""Tokens from the table are those of CLIP's encoder, whichever names a text has."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
import torch

from geochange.errors import InputError
from geochange.models import prompts
from geochange.models.onnx.shipped.graphs import open_graph, tables_of
from geochange.models.onnx.shipped.texts import END, NAMES_PER_CHIP, TextTables, best_names
from geochange.models.weights.locate import SHIPPED

CHECKPOINT = SHIPPED["changeclip-small"]


@pytest.fixture(scope="module")
def tables() -> TextTables:
    sha256 = hashlib.sha256(CHECKPOINT.read_bytes()).hexdigest()
    return TextTables.of_json(tables_of(open_graph(CHECKPOINT, "texts", sha256)))


def test_the_numbers_are_those_of_the_prompts() -> None:
    assert (END, NAMES_PER_CHIP) == (prompts.END, prompts.NAMES_PER_CHIP)


@pytest.mark.slow
def test_the_background_is_that_of_the_encoder(tables: TextTables) -> None:
    expected = prompts.tokenise(prompts.BACKGROUND, tables.places)
    assert tables.background_text().tolist() == [expected]


@pytest.mark.slow
def test_foregrounds_are_those_of_the_encoder(tables: TextTables) -> None:
    """Of any names in any order, and of so many that some do not fit."""
    draw = random.Random(0)
    for count in (1, 9, 9, 9, 9, 9, 40):
        names = draw.sample(tables.vocabulary, count)
        expected = prompts.foreground_tokens(names, tables.places)
        assert tables.foreground_text(names).tolist() == [expected]
    for names in tables.fixed:
        expected = prompts.foreground_tokens(names, tables.places)
        assert tables.foreground_text(names).tolist() == [expected]


def test_an_unknown_name_is_refused(tables: TextTables) -> None:
    with pytest.raises(InputError, match="'volcano' is no name"):
        tables.foreground_text(["volcano"])


def test_of_equal_scores_the_first_name_leads() -> None:
    names = tuple(f"n{i}" for i in range(12))
    scores = np.array([0, 1, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0], np.float32)
    expected = prompts.best_names(torch.from_numpy(scores)[None], names)[0]
    assert best_names(scores, names) == expected
    assert expected[:3] == ("n3", "n1", "n6")
