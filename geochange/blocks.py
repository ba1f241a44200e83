"""All blocks of a run: inferred, stitched and vectorised, as fast as workers take them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from geochange.faults import Faults
from geochange.geo.joiner import Joiner
from geochange.geo.regions import BlockRegions
from geochange.geo.spill import Shelf, Spill
from geochange.mosaic.release import Release
from geochange.mosaic.schedule import Client, Job, run_bounded
from geochange.progress import Progress
from geochange.tasks import Work, jobs


def work_blocks(
    client: Client, work: Work, outlines: BinaryIO, keep_logits: bool, progress: Progress
) -> Shelf:
    """Work every block; the regions come back joined, their outlines in a file.

    Blocks that cannot be read are gone on without, and named when all else is done: RunError.
    """
    yard = _Yard(work, Spill(outlines), keep_logits, progress)
    faults = Faults(work.pair)

    def take(job: Job, answer: int | BlockRegions) -> None:
        if isinstance(answer, BlockRegions):
            yard.finished(job, answer)
        else:
            faults.worked()
            yard.inferred(answer)

    run_bounded(client, jobs(work), take, faults.spare)
    if not work.skip_unreadable:
        faults.settle(work.unsampled)
    return yard.spill.finish(yard.joiner.finish())


@dataclass
class _Yard:
    """Where the answers of workers are put, in whatever order they come."""

    work: Work
    spill: Spill
    keep_logits: bool
    progress: Progress
    joiner: Joiner = field(init=False)
    release: Release = field(init=False)
    tiles: int = 0
    pixels: int = 0

    def __post_init__(self) -> None:
        self.joiner = Joiner(self.work.plan.shape)
        self.release = Release(self.work.logits)
        for stage in ("infer", "polygons"):
            self.progress(stage, 0, self.work.plan.whole.pixels)

    def inferred(self, tiles: int) -> None:
        """A block of tiles has its logits."""
        self.tiles += tiles
        plan = self.work.plan
        total = plan.whole.pixels
        self.progress("infer", total * self.tiles // plan.tile_count, total)

    def finished(self, job: Job, regions: BlockRegions) -> None:
        """An output block is stitched, kept and vectorised."""
        self.spill.put(self.joiner.add(regions))
        if not self.keep_logits:
            self.release.finished(job.arguments[1])
        self.pixels += regions.window.pixels
        self.progress("polygons", self.pixels, self.work.plan.whole.pixels)
