"""The record of a run, as a file of changes carries it."""

from __future__ import annotations

import json
from pathlib import Path

import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from geochange.vector.files.formats import name_to_open
from geochange.vector.files.writers import RUN_TABLE


def read_record(path: Path) -> dict[str, str]:
    """Names and values that `write_changes` left in a file; none where there are none."""
    opens = name_to_open(path)
    try:
        layers = {name for name, _ in pyogrio.list_layers(opens)}
        if RUN_TABLE in layers:
            rows = pyogrio.read_dataframe(opens, layer=RUN_TABLE)
            if {"key", "value"} <= set(rows):
                return dict(zip(rows["key"], rows["value"].fillna(""), strict=True))
        metadata = pyogrio.read_info(opens)["layer_metadata"] or {}
        told = json.loads(metadata.get("DESCRIPTION", "{}"))
    except (DataSourceError, DataLayerError, json.JSONDecodeError):
        return {}
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}
