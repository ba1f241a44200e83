"""Processes all blocks of a run: infer, stitch and trace polygons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import BinaryIO

from geochange.cluster.job_queue import Job
from geochange.cluster.jobs import JobClient, run_bounded, worker_count
from geochange.cluster.monitoring.counted_task import CountedTask, TaskAnswer
from geochange.mosaic.free_logits import LogitRelease
from geochange.progress import Progress
from geochange.running.plan.active_tiles import ActiveTiles
from geochange.running.plan.run_spec import RunSpec
from geochange.running.raster_writer import RasterWriter
from geochange.running.read_failures import ReadFailures
from geochange.running.tasks import jobs
from geochange.running.work.block_meter import BlockMeter
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.region_file import RegionFile, RegionFileWriter
from geochange.vector.tracing.regions import BlockRegions, empty_block


def process_blocks(
    client: JobClient,
    work: RunSpec,
    outlines: BinaryIO,
    keep_logits: bool,
    progress: Progress,
    raster: RasterWriter,
) -> RegionFile:
    """Process every block. Returns the joined regions, with their outlines in a file.

    Blocks that cannot be read are skipped. When all others are done, they raise a RunError that names
    them. raster: gets each output block whose probability is stored.
    """
    yard = _BlockProgress(work, RegionFileWriter(outlines), keep_logits, progress, raster)
    yard.skip_inactive()
    faults = ReadFailures(work.pair)

    def take(job: Job, answer: TaskAnswer) -> None:
        if isinstance(answer.value, BlockRegions):
            yard.finished(job, answer.value)
        else:
            faults.record_success()
            yard.inferred(answer.value)
        meter.add(int(isinstance(answer.value, int)), answer.traffic)

    meter = BlockMeter(progress, yard.active_tiles.counts[1], worker_count(client))
    counted = (replace(job, function=CountedTask(job.function)) for job in jobs(work))
    run_bounded(client, counted, take, faults.tolerate)
    meter.report()
    if not work.skip_unreadable:
        faults.raise_collected(work.unsampled)
    return yard.spill.finish(yard.joiner.finish())


@dataclass
class _BlockProgress:
    """Collects the results of workers in any order."""

    work: RunSpec
    spill: RegionFileWriter
    keep_logits: bool
    progress: Progress
    raster: RasterWriter
    joiner: RegionJoiner = field(init=False)
    release: LogitRelease = field(init=False)
    active_tiles: ActiveTiles = field(init=False)
    tiles: int = 0
    pixels: int = 0

    def __post_init__(self) -> None:
        self.joiner = RegionJoiner(self.work.plan.shape)
        self.active_tiles = self.work.active_tiles
        self.release = LogitRelease(self.work.logits, self.active_tiles)
        for stage in ("infer", "polygons"):
            self.progress(stage, 0, self.active_tiles.pixels)

    def skip_inactive(self) -> None:
        """Tell the joiner which output blocks are skipped."""
        if self.active_tiles.area is None:
            return
        plan = self.work.plan
        worked = set(self.active_tiles.outputs())
        rows, cols = plan.outputs
        for output in product(range(rows), range(cols)):
            if output not in worked:
                self.joiner.add(empty_block(plan.output_window(output)))

    def inferred(self, tiles: int) -> None:
        """Note that the logits of a block of tiles are stored."""
        self.tiles += tiles
        total = self.active_tiles.pixels
        self.progress("infer", total * self.tiles // self.active_tiles.counts[0], total)

    def finished(self, job: Job, regions: BlockRegions) -> None:
        """Note that an output block is stitched, stored and traced."""
        self.raster.add(job.arguments[1])
        self.spill.put(self.joiner.add(regions))
        if not self.keep_logits:
            self.release.finished(job.arguments[1])
        self.pixels += regions.window.pixels
        self.progress("polygons", self.pixels, self.active_tiles.pixels)
