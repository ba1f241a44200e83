from __future__ import annotations

import time

import pytest
import torch

from geochange.models.inference.precision import choose_dtype

CPU = torch.device("cpu")


def test_what_is_asked_for_is_taken() -> None:
    assert choose_dtype("float32", CPU) is torch.float32
    assert choose_dtype("bfloat16", CPU) is torch.bfloat16


def _units(monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)


@pytest.mark.parametrize(
    ("avx512", "amx", "chosen"),
    [
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
        (False, False, torch.float32),
    ],
)
def test_auto_asks_the_processor(
    avx512: bool, amx: bool, chosen: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    _units(monkeypatch, avx512, amx)
    assert choose_dtype("auto", CPU) is chosen


@pytest.mark.parametrize(
    ("isa", "chosen"),
    [
        ("AVX2", torch.float32),
        ("sse41", torch.float32),
        ("AVX512_CORE_AMX", torch.bfloat16),
        ("", torch.bfloat16),
    ],
)
def test_instructions_that_onednn_may_not_use_do_not_count(
    isa: str, chosen: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    _units(monkeypatch, True, True)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", isa)
    assert choose_dtype("auto", CPU) is chosen


def test_a_busy_machine_has_the_same_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_clock() -> float:
        raise AssertionError("a measured choice depends on the load of the machine")

    monkeypatch.setattr(time, "perf_counter", no_clock)
    assert {choose_dtype("auto", CPU) for _ in range(3)} in ({torch.float32}, {torch.bfloat16})
