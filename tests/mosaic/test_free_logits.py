"""A block of logits exists as long as an output block may need it, and no longer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tile_plans import each_plan, every_output, plans

from geochange.grid.tiling import Index, TilePlan
from geochange.mosaic.free_logits import LogitRelease
from geochange.mosaic.stores import LogitStore
from geochange.storage.local import LocalWork

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Watched(LogitStore):
    """A store that records the blocks that it drops."""

    dropped: list[Index] = field(default_factory=list)

    def drop(self, block: Index) -> None:
        self.dropped.append(block)


@each_plan
@given(plans(), st.randoms(use_true_random=False))
@example(TilePlan((9, 9), 8, 7, 1), Random(1))
def test_a_block_goes_right_behind_the_last_that_needs_it(plan: TilePlan, random: Random) -> None:
    store = Watched(LocalWork(Path("nowhere")), plan)
    release = LogitRelease(store)
    outputs = every_output(plan)
    random.shuffle(outputs)
    for i, output in enumerate(outputs):
        release.finished(output)
        still_needed = {block for later in outputs[i + 1 :] for block in plan.needed_blocks(later)}
        assert set(store.dropped) == set(plan.blocks()) - still_needed
    assert len(store.dropped) == len(set(store.dropped))
    assert release._left == {}
