"""Logit release: deletes logits when all output blocks that need them are stitched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from geochange.grid.tiling import Index
from geochange.mosaic.stores import LogitStore


class OutputGathering(Protocol):
    """Tells which output blocks gather from which blocks of tiles."""

    def needed_blocks(self, output: Index) -> tuple[Index, ...]:
        """The blocks of tiles that an output block gathers from."""
        ...

    def outputs_of(self, block: Index) -> tuple[Index, ...]:
        """The output blocks that gather from a block of tiles."""
        ...


@dataclass
class LogitRelease:
    """Deletes each block of logits after the last output block that gathers from it.

    Finished output blocks may come in any order, each once. Only blocks between finished and unfinished
    output blocks are kept in memory.
    gathering: which output blocks gather from which blocks of tiles; None uses the whole plan of the
    store.
    """

    store: LogitStore
    gathering: OutputGathering | None = None
    _left: dict[Index, int] = field(default_factory=dict)

    def finished(self, output: Index) -> None:
        """Note that an output block is stitched and stored."""
        plan = self.gathering or self.store.plan
        for block in plan.needed_blocks(output):
            left = self._left.pop(block, len(plan.outputs_of(block))) - 1
            if left:
                self._left[block] = left
            else:
                self.store.drop(block)
