"""Progress display of a command: one bar per stage, JSON lines, or nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from geochange.cli.tables import print_rows, titled_table
from geochange.progress import BlockFigures
from geochange.running.plan.disk_space import size_text
from geochange.storage.traffic import Traffic

if TYPE_CHECKING:
    from geochange.workflows.demo import Score

LOG_EVERY_S = 1.0


class Report(Protocol):
    """Shows the progress of a stage, with a note."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """`done` of `total` are done."""
        ...


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a stage: its sign, its size, and its name in JSON."""

    sign: str
    size: float
    key: str


PIXELS = Unit("Mpx", 1e6, "px")
CHIPS = Unit("chips", 1, "chips")
STEPS = Unit("steps", 1, "steps")
BLOCKS = Unit("blocks", 1, "blocks")
UNITS = {
    "learn": STEPS,
    "blocks": BLOCKS,
    **dict.fromkeys(("check", "prompts", "validate", "evaluate"), CHIPS),
}
"""Units by stage; all others count pixels."""


class _RateColumn(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        speed, unit = task.finished_speed or task.speed, UNITS.get(task.description, PIXELS)
        rate = "" if speed is None else f"{speed / unit.size:.2f} {unit.sign}/s"
        return Text(rate, style="cyan")


@contextmanager
def screen(
    quiet: bool, log_json: bool, weights: Mapping[str, float] = MappingProxyType({})
) -> Iterator[Report]:
    """A progress function for the duration of the context.

    weights: the share of each stage of the command in its time. With them a JSON line also has
    `share`, how much of the whole is done, 0 to 1.
    """
    if log_json:
        yield _JsonLines(weights)
    elif quiet:
        yield _silent
    else:
        with _bars() as report:
            yield report


def _silent(stage: str, done: int, total: int, note: str = "") -> None:
    pass


@dataclass
class _JsonLines:
    """Reports progress as lines of JSON."""

    weights: Mapping[str, float]
    last: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        now, shares = time.monotonic(), self.shares
        # A stage may be told again, such as one validation of many; a bar never goes back.
        shares[stage] = max(shares.get(stage, 0.0), done / total if total else 1.0)
        if done >= total or now - self.last.get(stage, -LOG_EVERY_S) >= LOG_EVERY_S:
            self.last[stage] = now
            unit = UNITS.get(stage, PIXELS)
            counts = {f"done_{unit.key}": done, f"total_{unit.key}": total}
            share = round(_total_share(self.weights, shares), 4) if self.weights else None
            whole = {} if share is None else {"share": share}
            beside = {"note": note} if note else {}
            say_json("progress", stage=stage, **counts, **whole, **beside)

    def show_blocks(self, figures: BlockFigures) -> None:
        """The blocks of a run, over all its workers."""
        said = asdict(figures)
        said |= said.pop("traffic")
        for name in ("blocks_per_s", "left_s"):
            said[name] = None if said[name] is None else round(said[name], 3)
        say_json("blocks", **said)


def _total_share(weights: Mapping[str, float], shares: Mapping[str, float]) -> float:
    """How much of all stages is done, 0 to 1."""
    done = sum(weight * shares.get(stage, 0.0) for stage, weight in weights.items())
    return done / sum(weights.values())


def say_json(event: str, **values: Any) -> None:
    """Print one line of JSON."""
    click.echo(json.dumps({"event": event, "time": time.time(), **values}))


@dataclass
class _Bars:
    """Reports progress as a bar for each stage."""

    bars: Progress
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        # Bars that never showed anything would leave an empty line.
        self.bars.start()
        if stage not in self.tasks:
            self.tasks[stage] = self.bars.add_task(stage, total=total, note=note)
        self.bars.update(self.tasks[stage], completed=done, total=total, note=note)

    def show_blocks(self, figures: BlockFigures) -> None:
        """A bar for the blocks of a cluster."""
        if figures.workers:
            note = _traffic_note(figures.traffic)
            self("blocks", figures.blocks_done, figures.blocks_total, note)


def _traffic_note(traffic: Traffic) -> str:
    """Bytes and retries in few words."""
    read = size_text(traffic.input_bytes + traffic.work_read_bytes)
    words = [f"{read} in", f"{size_text(traffic.work_written_bytes)} out"]
    return ", ".join(words + ([f"{traffic.retries:,} retries"] if traffic.retries else []))


@contextmanager
def _bars() -> Iterator[Report]:
    bars = Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TextColumn("{task.percentage:>4.0f} %"),
        _RateColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )

    report = _Bars(bars)
    try:
        yield report
    finally:
        if report.tasks:
            bars.stop()


def closing_table(rows: dict[str, str], title: str) -> None:
    """Print a small table of names and values."""
    print_rows(rows, title)


def demo_table(scores: Sequence[Score], true_share: float) -> None:
    """Print how many planted changes were found, one row per kind."""
    table = titled_table("Planted and found", "kind", "planted", "found", "area covered")
    for score in scores:
        row = (str(score.planted), str(score.found), f"{score.covered:.0%}")
        table.add_row(score.kind, *row)
    Console().print(table)
    click.echo(f"{true_share:.0%} of the area found lies on planted changes.")
