"""How torch and numpy spread work over threads, where the last bits of a sum depend on it."""

from __future__ import annotations

SERIAL_VALUES = 2**14
"""Torch sums so few values in the calling thread and in the processor's cache.

With more, its threads spin while they wait, and take the cores from other work.
"""
