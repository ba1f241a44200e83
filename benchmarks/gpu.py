"""How busy a GPU is: the feed compared with the network alone, and with the card's peak.

python benchmarks/gpu.py [--device cuda:0] [--variants rn50 vit-b16 tiny] [--precisions bfloat16
float32] [--prompting] [--compile] [--batch N]: one row each. Weights are random, so no file is
needed. The feed gets chips from host memory, from as many threads as read blocks in a run. The
network alone gets the same chips, which are already on the device, batch after batch. A
multiplication and an addition count as two operations, as in torch. Without a GPU, a small version
runs on the CPU, and says so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from network import CLIP, count_gflop, make_batch  # in this folder
from torch.profiler import ProfilerActivity, profile

from geochange.chip import Chip
from geochange.models.changeclip.network import ChangeClip
from geochange.models.changeclip.variants import VARIANTS
from geochange.models.clip_scorer import ClipScorer
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import Batch, collate
from geochange.models.inference.device_feed import DeviceFeed
from geochange.models.inference.request import Request
from geochange.models.weights.checkpoint import Checkpoint
from geochange.models.weights.model_card import Card
from geochange.models.weights.openclip import build_clip

PEAKS_TFLOPS = {
    "B200": (2250, 80),
    "H200": (989, 67),
    "H100 PCIe": (756, 51),
    "H100": (989, 67),
    "A100": (312, 19.5),
    "L40S": (362, 91.6),
    "L4": (121, 30.3),
    "A10": (125, 31.2),
    "RTX 4090": (165, 82.6),
    "RTX 3090": (71, 35.6),
    "T4": (65, 8.1),
}
"""Dense matrix peaks from data sheets, bfloat16 (T4: float16) and float32 without TF32.

A name that is part of another name comes after it."""

TARGET = {("vit-b16", "bfloat16"): 0.5}
"""The intended share of the peak."""

COLUMNS = "variant  precision  batch    Mpx/s  of bare   busy   TFLOP/s  of peak  target"
BLOCK = 64


@dataclass(frozen=True)
class Row:
    """The result of one configuration, with shares from 0 to 1. busy: None if it cannot be measured."""

    variant: str
    precision: str
    batch: int
    mpx_s: float
    of_bare: float
    busy: float | None
    tflops: float
    of_peak: float

    def __str__(self) -> str:
        target = TARGET.get((self.variant, self.precision))
        busy = "    -" if self.busy is None else f"{self.busy:>5.0%}"
        return (
            f"{self.variant:<7}  {self.precision:<9}  {self.batch:>5}  {self.mpx_s:>7.2f}  "
            f"{self.of_bare:>7.1%}  {busy}  {self.tflops:>8.2f}  {self.of_peak:>7.1%}  "
            f"{'     -' if target is None else f'{target:>6.0%}'}"
        )


def detector(variant: str, precision: str, options: argparse.Namespace) -> ChangeClipDetector:
    torch.manual_seed(0)
    network = ChangeClip(VARIANTS[variant].options)
    card = Card(network.options)
    scorer = None
    if options.prompting:
        scorer = ClipScorer(build_clip(CLIP, quickgelu=True), card.vocabulary, 224)
    spec = DetectorSpec("", options.device, prompts="per-date" if options.prompting else "fixed")
    spec = replace(spec, precision=precision, compiled=options.compile)
    return ChangeClipDetector(spec, Checkpoint(card, network.state_dict()).build(), card, scorer)


def chips_of(count: int, size: int) -> list[Chip]:
    drawn = np.random.default_rng(0)
    pictures = drawn.integers(0, 256, (count, 2, size, size, 3), dtype=np.uint8)
    return [Chip(before, after, np.ones((size, size), bool)) for before, after in pictures]


def predict_all(feed: DeviceFeed, chips: list[Chip], times: int, threads: int) -> None:
    """Predict a block of chips repeatedly, in several threads as in a run."""

    def one(_: int) -> None:
        request = Request(feed.model, chips, None)
        feed.submit(request)
        feed.wait_for(request)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(times)))


def network_seconds(model: ChangeClipDetector, batches: list[Batch], device: torch.device) -> float:
    """Seconds for one pass over batches on the device. The answers stay there."""
    start = time.perf_counter()
    with torch.no_grad():
        for batch in batches:
            model.change_logits(batch)
    wait_for(device)
    return time.perf_counter() - start


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def busy_share(work: Callable[[], None], device: torch.device) -> float | None:
    """The share of time in which the GPU computed, by the profiler; None on a CPU."""
    if device.type != "cuda":
        return None
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        taken = timed(work)
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in seen.events()
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.name.startswith("Mem")
    )
    return min(1.0, union_us(spans) / 1e6 / taken)


def union_us(spans: list[tuple[float, float]]) -> float:
    """The time that at least one of the spans covers. They are sorted by start."""
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def peak_tflops(device: torch.device, precision: str) -> tuple[float, str]:
    """The card's matrix peak and its source: the data sheet, or a measured large product."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for card, (low, high) in PEAKS_TFLOPS.items():
            if card in name:
                return (low if precision == "bfloat16" else high), f"data sheet of {card}"
    return measured_tflops(device, precision), "a large product, measured"


def measured_tflops(device: torch.device, precision: str) -> float:
    side = 8192 if device.type == "cuda" else 2048
    one = torch.randn(side, side, device=device, dtype=getattr(torch, precision))

    def product() -> None:
        one @ one
        wait_for(device)

    product()
    return 2 * side**3 / min(timed(product) for _ in range(5)) / 1e12


def measure(variant: str, precision: str, options: argparse.Namespace, gflop: float) -> Row:
    """The best of each, measured in turns, so that other load on the machine affects both."""
    device = torch.device(options.device)
    model = detector(variant, precision, options)
    feed = DeviceFeed(model, options.device, options.batch)
    chips = chips_of(BLOCK if device.type == "cuda" else 8, options.size)
    predict_all(
        feed, chips, options.threads, options.threads
    )  # measures the batch size and warms up
    batch = feed.batch_of(Request(model, chips, None))
    there = collate([chips[i % len(chips)] for i in range(batch)], device)
    network_seconds(model, [there] * 2, device)
    seconds_each = network_seconds(model, [there], device) / batch
    blocks = max(options.threads, round(options.seconds / seconds_each / len(chips)))
    count = max(1, blocks * len(chips) // batch)

    def fed() -> None:
        predict_all(feed, chips, blocks, options.threads)

    turns = [(network_seconds(model, [there] * count, device), timed(fed)) for _ in range(3)]
    bare_s, fed_s = (min(times) for times in zip(*turns, strict=True))
    speed = blocks * len(chips) / fed_s
    busy = busy_share(fed, device)
    feed.close(60)
    tflops = speed * gflop / 1e3
    peak, _ = peak_tflops(device, precision)
    return Row(
        variant,
        precision,
        batch,
        speed * options.size**2 / 1e6,
        speed / (count * batch / bare_s),
        busy,
        tflops,
        tflops / peak,
    )


def parse() -> argparse.Namespace:
    there = "cuda:0" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default=there)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument(
        "--precisions", nargs="+", choices=["bfloat16", "float32"], default=["bfloat16", "float32"]
    )
    parser.add_argument("--size", type=int, default=256, help="pixels a side of a chip")
    parser.add_argument("--batch", type=int, help="chips at once; else what fits")
    parser.add_argument("--threads", type=int, help="that show blocks; else 2, or 8 for a GPU")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measuring")
    parser.add_argument("--prompting", action="store_true", help="CLIP names classes on the way")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    options = parser.parse_args()
    options.threads = options.threads or (2 if options.device == "cpu" else 8)
    return options


def main() -> None:
    options = parse()
    device = torch.device(options.device)
    if device.type == "cuda":
        print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    else:
        print(f"no GPU: a small version on the CPU, torch {torch.__version__}")
    for precision in options.precisions:
        peak, source = peak_tflops(device, precision)
        print(f"{precision} peak {peak:.3g} TFLOP/s ({source})")
    print(COLUMNS, flush=True)
    for variant in options.variants:
        plain = argparse.Namespace(**{**vars(options), "compile": False})
        model = detector(variant, "float32", plain)
        gflop = count_gflop(model, make_batch(1, options.size, options.device))
        for precision in options.precisions:
            print(measure(variant, precision, options, gflop), flush=True)


if __name__ == "__main__":
    main()
