"""How many chips are computed at once."""

from __future__ import annotations

CPU_CHIPS = 16
"""The batch size on a CPU, where larger batches are not faster."""
