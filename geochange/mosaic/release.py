"""Releasing: logits leave the disk as soon as nothing is left to be stitched from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from geochange.grid.tiling import Index
from geochange.mosaic.store import LogitStore


class OutputGathering(Protocol):
    """Which output blocks gather from which blocks of tiles."""

    def needed_blocks(self, output: Index) -> tuple[Index, ...]:
        """The blocks of tiles an output block gathers from."""
        ...

    def outputs_of(self, block: Index) -> tuple[Index, ...]:
        """The output blocks that gather from a block of tiles."""
        ...


@dataclass
class LogitRelease:
    """Drops each block of logits behind the last output block that gathers from it.

    Told of finished output blocks in any order, each once; it remembers only the blocks on the
    front between finished and unfinished ones.
    gathering: which output blocks gather from which blocks of tiles; all of the store's plan where
    it is None.
    """

    store: LogitStore
    gathering: OutputGathering | None = None
    _left: dict[Index, int] = field(default_factory=dict)

    def finished(self, output: Index) -> None:
        """An output block is done and kept."""
        plan = self.gathering or self.store.plan
        for block in plan.needed_blocks(output):
            left = self._left.pop(block, len(plan.outputs_of(block))) - 1
            if left:
                self._left[block] = left
            else:
                self.store.drop(block)
