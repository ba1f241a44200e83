"""How torch and numpy split sums over threads. The last bits of a sum depend on it."""

from __future__ import annotations

SERIAL_VALUES = 2**14
"""Up to this many values, torch sums in the calling thread and in the processor's cache.

With more values, its threads wait in a loop and take the cores from other work.
"""
