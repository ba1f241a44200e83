"""The confidence of a run: which weights, which least one, and what polygonize reads of it."""

from __future__ import annotations

import numpy as np
import pytest
from makers import NORTH_UP, UTM
from region_files import blobs, region_file_of

from geochange.errors import InputError, OptionError
from geochange.grid.grid import Grid
from geochange.models.confidence import ConfidenceRule
from geochange.running.confidence import (
    UNSTATED,
    Confidence,
    confidence_for,
    recorded_confidence,
)
from geochange.vector.changes import to_changes
from geochange.vector.files.layers import concatenate_batches
from geochange.vector.generalization.outline_style import OutlineStyle

# The size alone decides: the odds are pixels / 16.
SIZE = (-np.log(16.0), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
FLAT = (0.0,) * 7
RULE = ConfidenceRule(near=FLAT, far=SIZE)
GRID = Grid(UTM, NORTH_UP, (30, 40))
PIXEL_M = 10.0


def scene() -> np.ndarray:
    """Changes of 4, 16 and 48 pixels."""
    raster = np.zeros((30, 40), np.uint8)
    raster[2:4, 2:4] = raster[10:14, 2:6] = raster[10:14, 20:32] = 200
    return raster


def test_polygons_below_the_least_confidence_are_not_written() -> None:
    style = OutlineStyle(0)
    for least, kept in ((0.0, [0.2, 0.5, 0.75]), (0.5, [0.5, 0.75]), (0.9, [])):
        sure = confidence_for(RULE, PIXEL_M, least, "m").filter()
        changes = concatenate_batches(
            to_changes(region_file_of(scene()), GRID, style, 0, None, sure)
        )
        np.testing.assert_allclose(changes["confidence"], kept, rtol=1e-9)
        assert changes["id"].tolist() == list(range(1, len(kept) + 1))
    unstated = concatenate_batches(
        to_changes(region_file_of(scene()), GRID, style, 0, None, UNSTATED.filter())
    )
    assert len(unstated) == 3 and unstated["confidence"].isna().all()


def test_confidence_does_not_depend_on_blocks() -> None:
    weights = (0.3, 1.0, -0.5, 0.2, -0.7, 0.1, -0.1)
    raster = np.where(blobs(3, 120), np.uint8(200), np.uint8(0))
    raster[::3] = np.minimum(raster[::3], 140)
    grid = Grid(UTM, NORTH_UP, raster.shape)
    sure = Confidence(weights).filter()
    whole, parts = (
        concatenate_batches(
            to_changes(region_file_of(raster, block), grid, OutlineStyle(0), 0, None, sure)
        )
        for block in ((200, 200), (32, 24))
    )
    assert len(whole) > 5 and whole["confidence"].nunique() > 5
    assert whole["confidence"].tolist() == parts["confidence"].tolist()


def test_the_default_is_a_half_of_near_polygons() -> None:
    assert confidence_for(RULE, 0.5, None, "m") == Confidence(FLAT, 0.5)
    assert confidence_for(RULE, 0.5, 0.0, "m") == Confidence(FLAT, 0.0)
    assert confidence_for(RULE, PIXEL_M, None, "m") == Confidence(SIZE, 0.0)
    assert confidence_for(None, PIXEL_M, None, "m") == UNSTATED
    assert confidence_for(None, PIXEL_M, 0.0, "m") == UNSTATED


def test_a_least_confidence_needs_a_calibrated_model() -> None:
    with pytest.raises(OptionError, match=r"--min-confidence 0\.4: cva states no confidence"):
        confidence_for(None, PIXEL_M, 0.4, "cva")
    with pytest.raises(OptionError, match="leave it out, or raise --threshold"):
        recorded_confidence({}, 0.4)


def test_a_record_gives_it_back() -> None:
    record = Confidence(SIZE, 0.3).record()
    assert recorded_confidence(record, None) == Confidence(SIZE, 0.3)
    assert recorded_confidence(record, 0.7) == Confidence(SIZE, 0.7)
    assert recorded_confidence(UNSTATED.record(), None) == UNSTATED
    assert recorded_confidence({}, None) == UNSTATED


@pytest.mark.parametrize(
    "record",
    [
        {"confidence_weights": "[1, 2]"},
        {"confidence_weights": "["},
        {"confidence_weights": "[1, 2, 3, 4, 5, 6, NaN]"},
        {"confidence_weights": "[1, 2, 3, 4, 5, 6, 7]", "min_confidence": "7"},
        {"confidence_weights": "[1, 2, 3, 4, 5, 6, 7]", "min_confidence": "nan"},
        {"confidence_weights": "[1, 2, 3, 4, 5, 6, 7]", "min_confidence": "much"},
    ],
)
def test_a_damaged_record_is_refused(record: dict[str, str]) -> None:
    with pytest.raises(InputError, match="is damaged"):
        recorded_confidence(record, None)
