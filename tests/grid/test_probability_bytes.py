"""Logits become bytes and percent, and pixels without data never become an answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geochange.grid.probability_bytes import MAX_BYTE, NODATA, threshold_byte, to_bytes


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20))
def test_bytes_are_percent_to_half_a_step(logits: list[float]) -> None:
    exact = 1 / (1 + np.exp(-np.clip(np.array(logits, np.float64), -700, 700)))
    kept = to_bytes(np.array(logits, np.float32))
    assert kept.dtype == np.uint8
    np.testing.assert_allclose(kept / MAX_BYTE, exact, atol=0.5 / MAX_BYTE + 1e-6)


@pytest.mark.filterwarnings("error")
def test_ends_middle_and_missing() -> None:
    logits = np.array([[-np.inf, -1e4, 0, 1e4, np.inf, np.nan]], np.float32)
    assert to_bytes(logits).tolist() == [[0, 0, 127, 254, 254, 255]]


def test_only_nan_is_missing() -> None:
    kept = to_bytes(np.linspace(-20, 20, 10_001, dtype=np.float32))
    assert (np.diff(kept.astype(int)) >= 0).all()
    assert NODATA not in kept
    assert len(np.unique(kept)) == 255


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-6, 1))
def test_level_is_the_smallest_byte_that_reaches_the_threshold(threshold: float) -> None:
    reaching = [byte for byte in range(1, NODATA) if byte / MAX_BYTE >= threshold - 1e-11]
    assert threshold_byte(threshold) == min(reaching)


@pytest.mark.parametrize(
    ("threshold", "byte"), [(1e-9, 1), (0.5, 127), (0.1, 26), (1.0, 254), (128 / 254, 128)]
)
def test_levels_by_hand(threshold: float, byte: int) -> None:
    assert threshold_byte(threshold) == byte
