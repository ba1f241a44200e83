"""Damaged inputs of every kind for as long as you like, each read by a command within limits.

python benchmarks/fuzz.py [--minutes 60] [--seed 0] [--kind rasters ...] [--keep FOLDER]: the folder of
each input that fails is kept there, with the command and what it said. The same seed gives the
same inputs; `tests/workflows/test_fuzz.py` tries the first of each kind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SUPPORT = Path(__file__).parents[1] / "tests" / "support"
sys.path.insert(0, str(SUPPORT))

ROUND = 150
"""Inputs of a kind before the next kind has its turn."""


@dataclass
class Figures:
    """What became of the inputs of one kind."""

    endings: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    rise_mb: float = 0.0
    seconds: float = 0.0

    def line(self, kind: str) -> str:
        inputs = self.endings.total()
        cells = (inputs, *(self.endings[e] for e in ("answered", "refused", "fault")))
        counts = "".join(f"{cell:>10,}" for cell in cells)
        return f"{kind:10}{counts}{self.slowest_s:>10.1f}{self.rise_mb:>10.0f}{self.seconds:>10.0f}"


def try_round(kind: str, seed: int, kept: Path, figures: Figures) -> None:
    from fuzzing import fuzz

    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        for outcome in fuzz(kind, seed, ROUND, Path(scratch), kept):
            figures.endings[outcome.ending] += 1
            figures.slowest_s = max(figures.slowest_s, outcome.seconds)
            figures.rise_mb = max(figures.rise_mb, outcome.rise_mb)
            if outcome.ending == "fault":
                place = f"{kind}-{seed}-{outcome.index}"
                print(
                    f"{place} ({outcome.name}): {outcome.words}: {outcome.said[:600]}", flush=True
                )
        figures.seconds += time.monotonic() - began


def main() -> None:
    from fuzz_kinds import KINDS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=tuple(KINDS))
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    words = parser.parse_args()
    table = {kind: Figures() for kind in words.kind or KINDS}
    end = time.monotonic() + 60 * words.minutes
    seed = words.seed
    while time.monotonic() < end:
        for kind, figures in table.items():
            if time.monotonic() < end:
                try_round(kind, seed, words.keep, figures)
        seed += 1
    heads = ("inputs", "answered", "refused", "faults", "slowest s", "rise MB", "seconds")
    print(f"{'kind':10}" + "".join(f"{head:>10}" for head in heads))
    for kind, figures in table.items():
        print(figures.line(kind))


if __name__ == "__main__":
    main()
