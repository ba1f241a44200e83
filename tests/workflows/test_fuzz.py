"""Damaged inputs of every kind end with an answer or with one line that refuses them.

`benchmarks/fuzz.py` goes on with the same kinds for as long as one likes.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import early_server  # noqa: F401 - all children fork from it
import mutations
import pytest
from fuzz_kinds import KINDS
from fuzzing import fuzz

pytestmark = pytest.mark.slow

INPUTS = {
    **{"reviews": 4, "results": 6, "weights": 4, "cards": 4, "networks": 6, "rasters": 7},
    **{"indexes": 6, "areas": 8, "items": 8, "configs": 50, "chips": 8},
}
"""So many of each kind, in some ten seconds for all."""

SEED = 7

MUTATORS = sorted({each.__name__ for kind in KINDS.values() for each in kind.mutators})


def test_every_kind_is_tried() -> None:
    assert INPUTS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", INPUTS)
def test_damaged_inputs_are_answered_or_refused(kind: str, tmp_path: Path) -> None:
    outcomes = list(fuzz(kind, SEED, INPUTS[kind], tmp_path))
    faults = [outcome for outcome in outcomes if outcome.ending == "fault"]
    assert faults == []
    assert [outcome.index for outcome in outcomes] == list(range(INPUTS[kind]))
    assert Counter(outcome.ending for outcome in outcomes)["refused"] > 0


@pytest.mark.parametrize("name", MUTATORS)
def test_the_same_chance_damages_alike(name: str) -> None:
    mutator, data = getattr(mutations, name), b'{"a": [1, {"b": "c"}]}' * 9
    for seed in range(20):
        one, other = (mutator(random.Random(seed), data) for _ in range(2))
        assert one == other
