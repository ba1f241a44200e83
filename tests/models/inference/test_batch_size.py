"""The batch size follows from the memory of one and two chips, and from free memory."""

from __future__ import annotations

import pytest
import torch
from fake_devices import FakeCuda
from hypothesis import given
from hypothesis import strategies as st

from geochange.models.inference import batch_size
from geochange.models.inference.batch_size import (
    CPU_CHIPS,
    MAX_CHIPS,
    MEMORY_SHARE,
    fitting_batch,
    measure_batch_size,
)


def never(count: int) -> None:
    raise AssertionError("nothing is measured on a CPU")


def test_a_cpu_has_a_fixed_number() -> None:
    assert measure_batch_size(never, "cpu") == CPU_CHIPS == 16


@given(st.integers(-5, 10**6))
def test_a_number_of_chips_is_the_power_of_two_below(chips: int) -> None:
    found = fitting_batch(chips)
    assert found & (found - 1) == 0
    assert 1 <= found <= MAX_CHIPS
    assert found <= max(1, chips) < 2 * found or found == MAX_CHIPS


def measured(monkeypatch: pytest.MonkeyPatch, free: int, fixed: int, each: int, kept: int) -> int:
    """On a GPU with so much free, `kept` of it idle with torch, for such a model."""
    cuda = FakeCuda(free - kept)
    cuda.allocated, cuda.reserved = 7_000, 7_000 + kept
    looks: list[int] = []

    def look(count: int) -> None:
        looks.append(count)
        setting_up = 10**9 if len(looks) == 1 else 0
        cuda.peak = max(cuda.peak, cuda.allocated + fixed + each * count + setting_up)

    monkeypatch.setattr(batch_size, "cuda", cuda)
    found = measure_batch_size(look, "cuda:1")
    assert looks == [1, 1, 2], "the first look sets up what is no part of a batch"
    return found


@pytest.mark.parametrize("kept", [0, 900])
@pytest.mark.parametrize(
    ("chips", "found"), [(0, 1), (1, 1), (7, 4), (8, 8), (9, 8), (255, 128), (256, 256), (999, 256)]
)
def test_what_is_free_is_shared_out(
    chips: int, found: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = int((5_000 + 100 * chips + 50) / MEMORY_SHARE)
    assert measured(monkeypatch, free, 5_000, 100, kept) == found


def test_a_model_that_takes_nothing_gets_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, 10**6, 0, 0, 0) == MAX_CHIPS


def test_where_two_do_not_fit_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(count: int) -> None:
        if count > 1:
            raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(batch_size, "cuda", FakeCuda(10**6))
    assert measure_batch_size(look, "cuda:0") == 1
