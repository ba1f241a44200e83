"""The cost of a chip pair for ChangeCLIP: time, floating-point operations and chips per second.

python benchmarks/network.py [--device cuda] [--variants rn50 vit_b16] [--precisions float32 bf16]
[--batches 1 4 16] [--prompting off on]: one row each, on the GPU if there is one. Weights are
random, so no file is needed. Prompts come from a ViT-B/16 CLIP at 224 px, whose texts are embedded
before. Rows that would take longer than --limit are skipped with a note. Operations are torch's count
for the same chip pair in float32; a multiplication and an addition count as two.

--engines [torch32 torch16 onnx] measures the shipped network on the CPU instead, one tile of 512 px after
the other by each engine in turn, so that load on the machine slows all of them alike. It prints
the time of a tile on all cores and the processor's time; `land` is a part of a tile, seen where
change is likely.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from geochange.chip import Chip
from geochange.landscape import make_landscape
from geochange.models.changeclip.image_tower import VitOptions
from geochange.models.changeclip.network import ChangeClip, ChangeClipOptions
from geochange.models.clip_scorer import ClipScorer
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import Batch
from geochange.models.inference.precision import Precision
from geochange.models.prompts import PromptMode
from geochange.models.weights.checkpoint import Checkpoint
from geochange.models.weights.locate import SHIPPED
from geochange.models.weights.model_card import Card
from geochange.models.weights.openclip import ClipShape, build_clip
from geochange.parallelism import core_count

VARIANTS = {
    "rn50": ChangeClipOptions(),
    "vit_b16": ChangeClipOptions(visual=VitOptions(double_class_token=True)),
}
PRECISIONS: dict[str, Precision] = {"float32": "float32", "bf16": "bfloat16"}
PROMPTING: dict[str, PromptMode] = {"off": "fixed", "on": "per-date"}
# Its text tower is used once, before timing starts, so one layer is enough.
CLIP = ClipShape(
    512,
    {"layers": 12, "width": 768, "head_width": 64, "patch_size": 16, "image_size": 224},
    {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 1},
)
ENGINES = ("torch32", "torch16", "onnx")
TILE_PX, PART_PX = 512, 288
COLUMNS = "variant  precision  prompting  batch   ms/pair  GFLOP/pair  chips/s  GFLOP/s  runs"


def random_checkpoint(variant: str) -> Checkpoint:
    torch.manual_seed(0)
    network = ChangeClip(VARIANTS[variant])
    return Checkpoint(Card(network.options), network.state_dict())


def build(checkpoint: Checkpoint, spec: DetectorSpec) -> ChangeClipDetector:
    scorer = ClipScorer(build_clip(CLIP, quickgelu=True), checkpoint.card.vocabulary, 224)
    return ChangeClipDetector(spec, checkpoint.build(), checkpoint.card, scorer)


def make_batch(count: int, size: int, device: str) -> Batch:
    """The same random chip pair `count` times, so that its texts are cached after the first."""
    drawn = torch.Generator().manual_seed(0)
    shape = (2, 1, 3, size, size)
    pair = torch.randint(0, 256, shape, dtype=torch.uint8, generator=drawn).to(device)
    before, after = pair.expand(2, count, 3, size, size)
    valid = torch.ones(count, size, size, dtype=torch.bool, device=device)
    return Batch(before.contiguous(), after.contiguous(), valid)


def seconds(work: Callable[[], torch.Tensor]) -> float:
    """Seconds for one call. The result is copied to the CPU, so a GPU has finished."""
    start = time.perf_counter()
    work().cpu()
    return time.perf_counter() - start


@contextmanager
def countable() -> Iterator[None]:
    """Attention in plain operations, because the counter does not know the CPU's fused attention."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def count_gflop(detector: ChangeClipDetector, batch: Batch) -> float:
    """GFLOP of a batch of one chip pair whose texts are cached."""
    detector.change_logits(batch)
    with countable(), FlopCounterMode(display=False) as counter:
        detector.change_logits(batch)
    flops: int = counter.get_total_flops()
    return flops / 1e9


def count_all(
    checkpoint: Checkpoint, spec: DetectorSpec, size: int, prompting: list[str]
) -> dict[str, float]:
    """GFLOP per chip pair, with and without prompting; the same for every precision."""
    detector = build(checkpoint, replace(spec, precision="float32", compiled=False))
    batch, counts = make_batch(1, size, spec.device), {}
    for name in prompting:
        detector.prompts = PROMPTING[name]
        counts[name] = count_gflop(detector, batch)
    return counts


def warm_up(detector: ChangeClipDetector, size: int) -> float:
    """The approximate seconds per chip pair. Afterwards its texts are cached."""
    batch = make_batch(1, size, str(detector.device))
    calls = 1 if detector.device.type == "cpu" else 3
    return min(seconds(lambda: detector.change_logits(batch)) for _ in range(calls))


def measure(detector: ChangeClipDetector, batch: Batch, budget: float) -> tuple[float, int]:
    """The fastest run of a batch within `budget` seconds (at least one run), and the number of runs.

    Other load on the machine makes runs slower, never faster.
    """
    # A CPU processes chips one by one and is warm now. A GPU tunes kernels for each batch size.
    for _ in range(0 if detector.device.type == "cpu" else 3):
        detector.change_logits(batch).cpu()
    taken: list[float] = []
    while not taken or sum(taken) + taken[-1] < budget:
        taken.append(seconds(lambda: detector.change_logits(batch)))
    return min(taken), len(taken)


def rows(
    detector: ChangeClipDetector, counts: dict[str, float], options: argparse.Namespace
) -> Iterator[str]:
    """The rows of one configuration: the measurements, or why there are none."""
    for name, gflop in counts.items():
        detector.prompts = PROMPTING[name]
        pair = warm_up(detector, options.size)
        for count in options.batches:
            start = f"{name:<9}  {count:>5}"
            if (expected := pair * count) > options.limit:
                yield f"{start}   left out: about {expected:.0f} s a row (--limit)"
                continue
            batch = make_batch(count, options.size, str(detector.device))
            fastest, runs = measure(detector, batch, options.seconds)
            pair = fastest / count
            speed = f"{1 / pair:>7.2f}  {gflop / pair:>7.0f}"
            yield f"{start}  {pair * 1e3:>8.1f}  {gflop:>10.1f}  {speed}  {runs:>4}"


def engine_calls(engines: Sequence[str]) -> dict[tuple[str, str], Callable[[], object]]:
    """By engine and part: a call that looks at as many tiles as there are cores."""
    from geochange.models.inference.cpu_prediction import predict_chips, see_land
    from geochange.models.inference.predict import predict_land, run_model
    from geochange.models.onnx.shipped.network import ShippedNetwork

    land = make_landscape(TILE_PX)
    tile = Chip(land.before, land.after, np.ones((TILE_PX, TILE_PX), np.bool_))
    small = (slice(PART_PX), slice(PART_PX))
    part = Chip(tile.before[small], tile.after[small], tile.valid[small])
    tiles, parts = [tile] * core_count(), [part] * core_count()
    file, calls = SHIPPED["changeclip-small"], dict[tuple[str, str], Callable[[], object]]()
    if "onnx" in engines:
        network = ShippedNetwork(file)
        calls["onnx", "change"] = partial(predict_chips, network, tiles)
        calls["onnx", "land"] = partial(see_land, network, parts)
    for name, precision in (("torch32", "float32"), ("torch16", "bfloat16")):
        if name in engines:
            # Where nothing is likely, its land network does not look.
            spec = DetectorSpec(str(file), precision=cast(Precision, precision), likely=1 - 1e-9)
            detector = spec.build()
            calls[name, "change"] = partial(run_model, detector, tiles, len(tiles), "cpu")
            calls[name, "land"] = partial(predict_land, detector, parts, "cpu")
    return calls


def compare_engines(options: argparse.Namespace) -> None:
    """Print the time of a tile by engine, each measured in turn."""
    calls = engine_calls(options.engines)
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in calls}
    for call in calls.values():
        call()
    until = time.perf_counter() + options.seconds * len(calls)
    while time.perf_counter() < until:
        for key, call in calls.items():
            start, busy = time.perf_counter(), time.process_time()
            call()
            taken[key].append((time.perf_counter() - start, time.process_time() - busy))
    print("engine   part     ms/tile  processor ms/tile  runs")
    for (engine, part), times in taken.items():
        wall, busy = (1000 * min(column) / core_count() for column in zip(*times, strict=True))
        print(f"{engine:<7}  {part:<6}  {wall:>8.0f}  {busy:>17.0f}  {len(times):>4}")


def parse() -> argparse.Namespace:
    there = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default=there)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--prompting", nargs="+", choices=PROMPTING, default=list(PROMPTING))
    parser.add_argument("--size", type=int, default=256, help="pixels a side of a chip")
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring a row")
    parser.add_argument("--limit", type=float, default=60.0, help="the most seconds a row may take")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, help="of the shipped network")
    words = parser.parse_args()
    words.engines = ENGINES if words.engines == [] else words.engines
    return words


def describe(options: argparse.Namespace) -> str:
    name = f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    if torch.device(options.device).type == "cuda":
        name = torch.cuda.get_device_name(options.device)
    return f"{options.device} ({name}), torch {torch.__version__}, {options.size} px chips"


def main() -> None:
    options = parse()
    if options.engines:
        compare_engines(options)
        return
    print(describe(options), COLUMNS, sep="\n", flush=True)
    for variant in options.variants:
        checkpoint = random_checkpoint(variant)
        spec = DetectorSpec("", options.device, compiled=options.compile)
        counts = count_all(checkpoint, spec, options.size, options.prompting)
        for precision in options.precisions:
            detector = build(checkpoint, replace(spec, precision=PRECISIONS[precision]))
            for row in rows(detector, counts, options):
                print(f"{variant:<7}  {precision:<9}  {row}", flush=True)


if __name__ == "__main__":
    main()
