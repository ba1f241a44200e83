"""Precision: float32, or bfloat16 where the hardware is faster with it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal

import torch
from torch.nn import functional as F

Precision = Literal["auto", "float32", "bfloat16"]
_GAIN = 1.2  # a smaller gain does not justify other numbers


def choose(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of the heavy parts; `auto` measures on a CPU, in under a second."""
    if precision == "auto":
        return torch.bfloat16 if _gains(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _gains(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    float32 = _seconds(torch.float32, float("inf"))
    return _seconds(torch.bfloat16, float32) * _GAIN < float32


@torch.inference_mode()
def _seconds(dtype: torch.dtype, patience: float) -> float:
    """The best time of three small convolutions and products; stops once one took `patience`."""
    picture = torch.ones(1, 64, 32, 32, dtype=dtype).to(memory_format=torch.channels_last)
    kernel = torch.ones(64, 64, 3, 3, dtype=dtype)
    tokens, weight = torch.ones(257, 256, dtype=dtype), torch.ones(256, 256, dtype=dtype)
    best = float("inf")
    for _ in range(4):  # the first run includes one-time setup
        start = time.perf_counter()
        for _ in range(4):
            F.conv2d(picture, kernel, padding=1)
            F.linear(tokens, weight)
        best = min(best, time.perf_counter() - start)
        if best > 10 * patience:
            break
    return best


def choose_precision(precision: str, device: str) -> str:
    """`auto` resolved for one device, so that all workers use the same precision."""
    if precision != "auto":
        return precision
    return str(choose("auto", torch.device(device))).removeprefix("torch.")


def common_precision(precision: str, devices: Iterable[str]) -> str:
    """`auto` resolved for several devices: float32 where they differ."""
    by_each = {choose_precision(precision, device) for device in devices}
    return by_each.pop() if len(by_each) == 1 else "float32"
