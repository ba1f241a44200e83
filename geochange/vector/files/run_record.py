"""Reads the record of a run from a file of changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyogrio

from geochange.errors import InputError, one_line
from geochange.vector.files.complete_files import require_readable
from geochange.vector.files.formats import readable_name
from geochange.vector.files.polygon_reader import UNREADABLE
from geochange.vector.files.writers import RUN_TABLE


def read_record(path: Path) -> dict[str, str]:
    """The names and values that `write_changes` wrote into a file; empty without a record.

    Raises InputError for a file that cannot be read, because its record is then unknown.
    """
    require_readable(path)
    try:
        with readable_name(path) as name:
            layers = {layer for layer, _ in pyogrio.list_layers(name)}
            if RUN_TABLE in layers:
                rows = pyogrio.read_dataframe(name, layer=RUN_TABLE)
                if {"key", "value"} <= set(rows):
                    return dict(zip(rows["key"], rows["value"].fillna(""), strict=True))
            metadata = pyogrio.read_info(name)["layer_metadata"] or {}
    except UNREADABLE as error:
        raise InputError(f"{path}: damaged, it cannot be read ({one_line(error)})") from error
    try:
        told = json.loads(metadata.get("DESCRIPTION", "{}"))
    except json.JSONDecodeError:
        return {}
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def run_options(record: Mapping[str, str]) -> dict[str, Any]:
    """The options of the run by name, from its record; empty where they are missing or damaged."""
    try:
        options = json.loads(record.get("options", ""))
    except (ValueError, RecursionError):
        return {}
    return options if isinstance(options, dict) else {}
