"""Rate and time left of the blocks, by a clock that the test sets."""

from __future__ import annotations

from dataclasses import dataclass, field

from geochange.progress import BlockFigures, CheckedProgress, show_blocks
from geochange.running.work.block_meter import BlockMeter
from geochange.storage.traffic import Traffic


@dataclass
class Screen:
    """A progress that keeps the figures."""

    told: list[BlockFigures] = field(default_factory=list)

    def __call__(self, stage: str, done: int, total: int) -> None: ...

    def show_blocks(self, figures: BlockFigures) -> None:
        self.told.append(figures)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_figures_come_once_a_second_and_at_the_end() -> None:
    screen, clock = Screen(), Clock()
    meter = BlockMeter(screen, 10, 4, clock)
    for _ in range(8):
        clock.now += 0.5
        meter.add(1, Traffic(1, 2, 3, 1))
    meter.add(0, Traffic(work_read_bytes=5))  # an output block
    meter.report()
    assert [told.blocks_done for told in screen.told] == [2, 4, 6, 8, 8]
    assert [told.blocks_per_s for told in screen.told] == [2, 2, 2, 2, 2]
    assert [told.left_s for told in screen.told] == [4, 3, 2, 1, 1]
    last = screen.told[-1]
    assert (last.blocks_total, last.workers) == (10, 4)
    assert last.traffic == Traffic(8, 21, 24, 8)


def test_the_rate_is_that_of_the_last_minute() -> None:
    screen, clock = Screen(), Clock()
    meter = BlockMeter(screen, 1000, 0, clock)
    meter.report()
    assert (screen.told[-1].blocks_per_s, screen.told[-1].left_s) == (0, None)
    for _ in range(200):  # the first is slow: it loads a model
        clock.now += 20 if meter.done == 0 else 1
        meter.add(1 if meter.done == 0 else 2, Traffic())
    told = screen.told[-1]
    assert told.blocks_per_s == 2
    assert told.left_s == (1000 - told.blocks_done) / 2


def test_a_progress_without_the_method_is_as_good() -> None:
    stages: list[str] = []
    plain = CheckedProgress(lambda stage, done, total: stages.append(stage), lambda: None)
    plain("infer", 1, 2)
    BlockMeter(plain, 1, 0, Clock()).report()
    assert stages == ["infer"]


def test_what_is_checked_first_also_stops_figures() -> None:
    screen, checks = Screen(), []
    checked = CheckedProgress(screen, lambda: checks.append(1))
    show_blocks(checked, BlockFigures(1, 2, 0, None, 0, Traffic()))
    assert checks == [1] and len(screen.told) == 1
