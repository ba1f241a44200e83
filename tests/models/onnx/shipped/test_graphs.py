"""The graphs in the package belong to the checkpoint beside them, and hold none of its weights."""

from __future__ import annotations

import hashlib

import pytest

from geochange.errors import InputError
from geochange.models.onnx.shipped.graphs import GRAPHS, SHA_KEY, graph_file, open_graph
from geochange.models.weights.locate import SHIPPED

CHECKPOINT = SHIPPED["changeclip-small"]

MOST_BYTES = 1_800_000
"""What all graphs may take: they hold operators, and the checkpoint the weights."""


@pytest.fixture(scope="module")
def sha256() -> str:
    return hashlib.sha256(CHECKPOINT.read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("part", GRAPHS)
def test_each_graph_belongs_to_the_checkpoint(part: str, sha256: str) -> None:
    """If not: `make graphs`."""
    assert open_graph(CHECKPOINT, part, sha256).metadata[SHA_KEY] == sha256


def test_graphs_are_small() -> None:
    assert sum(graph_file(CHECKPOINT, part).stat().st_size for part in GRAPHS) < MOST_BYTES


def test_a_graph_of_another_checkpoint_is_refused(sha256: str) -> None:
    with pytest.raises(InputError, match="install geochange again, or use --engine torch"):
        open_graph(CHECKPOINT, "texts", sha256[::-1])
