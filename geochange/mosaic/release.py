"""Release: logits are deleted as soon as all output blocks that need them are stitched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from geochange.grid.tiling import Index
from geochange.mosaic.store import LogitStore


class OutputGathering(Protocol):
    """Which output blocks gather from which blocks of tiles."""

    def needed_blocks(self, output: Index) -> tuple[Index, ...]:
        """The blocks of tiles that an output block gathers from."""
        ...

    def outputs_of(self, block: Index) -> tuple[Index, ...]:
        """The output blocks that gather from a block of tiles."""
        ...


@dataclass
class LogitRelease:
    """Deletes each block of logits after the last output block that gathers from it.

    It is told of finished output blocks in any order, each once. It remembers only the blocks
    between finished and unfinished ones.
    gathering: which output blocks gather from which blocks of tiles; None takes the store's whole
    plan.
    """

    store: LogitStore
    gathering: OutputGathering | None = None
    _left: dict[Index, int] = field(default_factory=dict)

    def finished(self, output: Index) -> None:
        """An output block is stitched and stored."""
        plan = self.gathering or self.store.plan
        for block in plan.needed_blocks(output):
            left = self._left.pop(block, len(plan.outputs_of(block))) - 1
            if left:
                self._left[block] = left
            else:
                self.store.drop(block)
