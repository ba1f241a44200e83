from __future__ import annotations

import time

import pytest
import torch

from geochange.models.inference import precision
from geochange.models.inference.precision import choose

CPU = torch.device("cpu")


def test_what_is_asked_for_is_taken() -> None:
    assert choose("float32", CPU) is torch.float32
    assert choose("bfloat16", CPU) is torch.bfloat16


def test_auto_measures_quickly() -> None:
    start = time.perf_counter()
    assert choose("auto", CPU) in (torch.float32, torch.bfloat16)
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize(
    ("bfloat16", "chosen"), [(0.5, torch.bfloat16), (0.95, torch.float32), (9.0, torch.float32)]
)
def test_auto_takes_bfloat16_where_it_is_clearly_faster(
    bfloat16: float, chosen: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(dtype: torch.dtype, patience: float) -> float:
        return bfloat16 if dtype is torch.bfloat16 else 1.0

    monkeypatch.setattr(precision, "_seconds", seconds)
    assert choose("auto", CPU) is chosen
