"""The training-free models beside Orfeo Toolbox: wall time, CPU time and peak memory.

python benchmarks/peers.py [--size 5000] [--rounds 3] [WORDS FOR geochange run]: an 8-bit RGB pair of
that side. Each round runs all of them one after the other, so that a busy machine slows them alike:
otbcli_MultivariateAlterationDetector (Debian's otb-bin; one pass, no polygons), where it is
installed, and `geochange run` with irmad and with cva, which write polygons, a COG and a page. It
prints each run, and then the medians and the ratio to OTB in the same round. Memory is the sum over
all processes of a run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from pipeline import make_pair

OTB = "otbcli_MultivariateAlterationDetector"
SAMPLE_INTERVAL_S = 0.02


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds of the clock and of all cores, and megabytes at once."""

    wall_s: float
    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.wall_s:6.1f} s, {self.cpu_s:6.1f} CPU s, {self.peak_mb:6.0f} MB"


def cost_of(command: list[str]) -> Cost:
    """Run a command and measure it. Raises CalledProcessError with its output if it fails."""
    ended, peak = threading.Event(), 0

    def watch(process: psutil.Process) -> None:
        nonlocal peak
        while not ended.wait(SAMPLE_INTERVAL_S):
            peak = max(peak, _resident_bytes(process))

    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        watcher = threading.Thread(target=watch, args=(psutil.Process(process.pid),))
        watcher.start()
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        ended.set()
        watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise subprocess.CalledProcessError(process.returncode, command, said.read())
    # A process may end between two looks; the system knows the peak of the largest one.
    peak = max(peak, used.ru_maxrss * 1024)
    return Cost(wall_s, used.ru_utime + used.ru_stime, peak / 1e6)


def _resident_bytes(process: psutil.Process) -> int:
    """The memory of a process and all its children."""
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            total += each.memory_info().rss
    except psutil.Error:  # one has just ended
        pass
    return total


def commands(pair: tuple[Path, Path], folder: Path, extra: list[str]) -> dict[str, list[str]]:
    """The commands by name; without OTB where it is not installed."""
    before, after = map(str, pair)
    found: dict[str, list[str]] = {}
    if shutil.which(OTB):
        out = str(folder / "mad.tif")
        found["OTB MAD"] = [OTB, "-in1", before, "-in2", after, "-out", out, "float"]
    for model in ("irmad", "cva"):
        words = ["run", before, after, "--out", str(folder / f"{model}.gpkg"), "--model", model]
        found[model] = [sys.executable, "-m", "geochange", *words, "--quiet", "--overwrite", *extra]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    words, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        peers = commands(make_pair(folder, words.size), folder, extra)
        costs: dict[str, list[Cost]] = {name: [] for name in peers}
        for _ in range(words.rounds):
            load = os.getloadavg()[0]
            for name, command in peers.items():
                costs[name].append(cost_of(command))
                print(f"{name:8} {costs[name][-1]}  (load {load:.1f})", flush=True)
    print("medians:")
    for name, found in costs.items():
        middle = Cost(
            *(statistics.median(column) for column in zip(*map(_row, found), strict=True))
        )
        print(f"{name:8} {middle}{_ratio(found, costs.get('OTB MAD'))}")


def _row(cost: Cost) -> tuple[float, float, float]:
    return cost.wall_s, cost.cpu_s, cost.peak_mb


def _ratio(found: list[Cost], other: list[Cost] | None) -> str:
    if other is None or found is other:
        return ""
    wall, cpu = (
        statistics.median(_row(a)[i] / _row(b)[i] for a, b in zip(found, other, strict=True))
        for i in (0, 1)
    )
    return f"  {wall:.2f} of OTB's time, {cpu:.2f} of its CPU time"


if __name__ == "__main__":
    main()
