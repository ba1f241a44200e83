"""Precision: float32, or bfloat16 where the hardware is faster with it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]

_WITHOUT_BFLOAT16 = frozenset(
    ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
)
"""Values of ONEDNN_MAX_CPU_ISA with which oneDNN only emulates bfloat16 on x86."""


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of the heavy parts. `auto` asks what the device has.

    It never measures: on a busy machine, the same run would get another dtype and other results.
    """
    if precision == "auto":
        return torch.bfloat16 if _has_bfloat16_units(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _has_bfloat16_units(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if (
        device.type != "cpu"
        or os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _WITHOUT_BFLOAT16
    ):
        return False
    # torch asks CPUID; on processors other than x86 both are False.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def choose_precision(precision: str, device: str) -> str:
    """`auto` resolved for one device, so that all workers use the same precision."""
    if precision != "auto":
        return precision
    return str(choose_dtype("auto", torch.device(device))).removeprefix("torch.")


def common_precision(precision: str, devices: Iterable[str]) -> str:
    """`auto` resolved for several devices: float32 where they differ."""
    by_each = {choose_precision(precision, device) for device in devices}
    return by_each.pop() if len(by_each) == 1 else "float32"
