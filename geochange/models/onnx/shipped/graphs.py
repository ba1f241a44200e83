"""The graphs of shipped networks: their files, and the checkpoint that holds their weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geochange.errors import InputError
from geochange.models.onnx.session import Session

GRAPHS = ("scores", "texts", "change", "land", "opinion", "places")
"""Scores of class names for prompts; embeddings of texts; change; what stands there; change as that sees
it; and scores of class names for places.
"""

SHA_KEY = "geochange.checkpoint"
"""The key of a graph's metadata with the sha256 of the checkpoint that holds its weights."""

TABLES_KEY = "geochange.tables"
"""The key of the metadata of "texts" with the tables of `texts.TextTables`, as JSON."""


def graph_file(checkpoint: Path, part: str) -> Path:
    """The file of a graph. Its weights are in the checkpoint, so it lies beside that."""
    return checkpoint.with_name(f"{checkpoint.stem}.{part}.onnx")


def open_graph(checkpoint: Path, part: str, sha256: str) -> Session:
    """A graph with its weights, for one thread a call and any number of calls at once.

    One thread adds in one order: the answer is the same to the bit, however many threads there are.
    Raises InputError if it belongs to another checkpoint.
    """
    session = Session(graph_file(checkpoint, part), "cpu", 1, trusted=True)
    if session.metadata.get(SHA_KEY) != sha256:
        raise InputError(
            f"{session.path}: belongs to another {checkpoint.name}; install geochange again, or use "
            "--engine torch"
        )
    return session


def tables_of(texts: Session) -> dict[str, Any]:
    """The tables in the metadata of "texts"."""
    return dict(json.loads(texts.metadata[TABLES_KEY]))
