"""Reading the changes of an earlier run: attributes that are missing or are no numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from polygon_files import grid_of, make_polygons, square

from geochange.errors import InputError
from geochange.vector.files.change_reader import REQUIRED_FIELDS, read_change_batches
from geochange.vector.files.polygon_reader import find_layer

GRID = grid_of((20, 20))
CHANGE: dict[str, list[Any]] = {"id": [1], "area_m2": [2500.0], "confidence_mean": [0.9]}


def changes(folder: Path, **attributes: Any) -> Path:
    """A GeoJSON file of one change, with other values of some attributes."""
    path = make_polygons(folder / "a.geojson", [square(1, 1, 5)], columns=CHANGE)
    file = json.loads(path.read_text())
    file["features"][0]["properties"].update(attributes)
    path.write_text(json.dumps(file))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    batches = list(read_change_batches(find_layer(path), GRID))
    return [row for batch in batches for row in batch.drop(columns="geometry").to_dict("records")]


def test_changes_are_read(tmp_path: Path) -> None:
    assert read(changes(tmp_path)) == [{"id": 1, "area_m2": 2500.0, "confidence_mean": 0.9}]


@pytest.mark.parametrize("name", REQUIRED_FIELDS)
@pytest.mark.parametrize("odd", [{"a": {"a": 1}}, [1, 2], "much", None])
def test_what_is_no_number_is_refused(tmp_path: Path, name: str, odd: Any) -> None:
    with pytest.raises(InputError, match=f"its {name} is not a number; run again to write it"):
        read(changes(tmp_path, **{name: odd}))


@pytest.mark.parametrize("name", REQUIRED_FIELDS)
def test_an_attribute_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    path = make_polygons(
        tmp_path / "a.geojson",
        [square(1, 1, 5)],
        columns={other: values for other, values in CHANGE.items() if other != name},
    )
    with pytest.raises(InputError, match=f"holds no changes of geochange run: it has no {name}"):
        read(path)
