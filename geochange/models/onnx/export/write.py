"""Writes a graph as an ONNX file, with metadata for geochange and for the QGIS plugin Deepness."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from geochange.config.onnx import OnnxOptions, to_metadata
from geochange.errors import RunError
from geochange.files.atomic import atomic_path
from geochange.models.changeclip.network import STRIDE
from geochange.models.detector import ChangeClipDetector
from geochange.models.onnx.export.graph import ChangeClipGraph, StackedGraph
from geochange.models.onnx.session import Session

OPSET = 18
"""The version of ONNX's operators: the first with reductions whose axes are inputs."""

TRACED_PX = 96, 160
"""Height and width of the pictures that are traced. They are no tower's own size, where positions
would not be resized."""

SQUARE_PX = 96, 96
"""The same where both sides have one name."""

TRIED_PX = 64, 64
"""The size of the pictures by which the file is compared with torch."""

OFF = 1e-3
"""A file whose logits differ by more, of pictures of noise, is not written. Those of classes, which
may be large, by this share of the largest."""

LEAST_HALVED = 256
"""Weights of fewer numbers stay in float32."""

LAND = ("class_before", "class_after")
"""The outputs of a land head."""

BANDS = ("red", "green", "blue")


@dataclass(frozen=True)
class Exported:
    """A written file. off: the largest difference to torch's answer; of half weights, to whole ones."""

    opset: int
    operators: int
    off: float


def export(
    detector: ChangeClipDetector,
    target: Path,
    source: str,
    *,
    stacked: bool = False,
    half: bool = False,
    tile: int = 256,
) -> Exported:
    """Write ChangeCLIP as ONNX, whole or not at all.

    source: its name, for the metadata. stacked: pictures in 0-1 in one input and the probability as
    output, as Deepness takes them; else two inputs in 0-255 and logits, those of a land head, too.
    half: weights are stored as float16, and computed with in float32. Raises InputError, OutputError,
    and RunError for a file that answers otherwise than torch.
    """
    graph = ChangeClipGraph(detector).eval()
    module = StackedGraph(graph).eval() if stacked else graph
    options = _options(detector, source, stacked, tile)
    outputs = ["change", *filter(None, (options.before, options.after))]
    with atomic_path(target) as aside:
        _trace(module, aside, stacked, outputs)
        model = onnx.load(aside)
        # The trace does not see that it is always one, and Deepness asks.
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
        if half:
            _halve(model.graph)
        said = to_metadata(options) | (_deepness(options) if stacked else {})
        onnx.helper.set_model_props(model, said)
        onnx.save(model, aside)
        off = _compare(module, aside, stacked, outputs)
        if not off <= (OFF if not half else float("inf")):
            raise RunError(
                f"{target}: not written, since its answers are {off:.2g} off those of torch; update "
                "torch and onnxruntime"
            )
        # Workers may run as another user.
        aside.chmod(0o644)
    return Exported(OPSET, len(model.graph.node), off)


def _options(detector: ChangeClipDetector, source: str, stacked: bool, tile: int) -> OnnxOptions:
    names = ("both",) if stacked else ("before", "after")
    # Of a network with a land head of its own; Deepness takes one output.
    land = None if stacked else detector.card.options.land
    return OnnxOptions(
        inputs=names,
        bands=BANDS,
        scale=255 if stacked else 1,
        says="probability" if stacked else "logits",
        output="change" if land else "",
        before=LAND[0] if land else "",
        after=LAND[1] if land else "",
        classes=land.classes if land else (),
        colours=detector.card.colours if land else (),
        threshold=detector.card.threshold,
        tile=tile,
        multiple=STRIDE,
        licence=detector.card.licence,
        source=f"geochange weights export {source}",
    )


def _deepness(options: OnnxOptions) -> dict[str, str]:
    """What Deepness reads: JSON by key (qgis-plugin-deepness.readthedocs.io, "Model metadata")."""
    tile = options.tile or 256
    values: Mapping[str, Any] = {
        "model_type": "Segmentor",
        "class_names": {"0": "unchanged", "1": "change"},
        "tile_size": tile,
        "tiles_overlap": round(100 * 64 / tile),
        "seg_thresh": options.threshold,
        "seg_small_segment": 4,
    }
    return {key: json.dumps(value) for key, value in values.items()}


def _pictures(stacked: bool, size: tuple[int, int], batch: int) -> tuple[torch.Tensor, ...]:
    noise = torch.rand(batch, 6, *size, generator=torch.Generator().manual_seed(0))
    return (noise,) if stacked else ((noise[:, :3] * 255).round(), (noise[:, 3:] * 255).round())


def _trace(module: nn.Module, path: Path, stacked: bool, outputs: list[str]) -> None:
    names = ["both"] if stacked else ["before", "after"]
    # Deepness asks for equal names of height and width.
    sides = ("side", "side") if stacked else ("height", "width")
    axes = {name: {0: "batch", 2: sides[0], 3: sides[1]} for name in [*names, *outputs]}
    with warnings.catch_warnings(), torch.no_grad():
        # Of each Python number that the trace holds for constant; tests run it at other sizes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            _pictures(stacked, SQUARE_PX if stacked else TRACED_PX, 2),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=outputs,
            dynamic_axes=axes,
        )


def _compare(module: nn.Module, path: Path, stacked: bool, outputs: list[str]) -> float:
    """The largest difference of logits, or of probabilities, to those of torch."""
    pictures = _pictures(stacked, TRIED_PX, 1)
    names = ["both"] if stacked else ["before", "after"]
    feed = {name: date.numpy() for name, date in zip(names, pictures, strict=True)}
    found = Session(path, "cpu", 1).run(feed, outputs)
    with torch.no_grad():
        told = module(*pictures)
    change, *land = told if isinstance(told, tuple) else (told,)
    off = float(np.abs(found[0] - change.numpy()).max())
    for own, other in zip(found[1:], land, strict=True):
        largest = max(1.0, float(other.abs().max()))
        off = max(off, float(np.abs(own - other.numpy()).max()) / largest)
    return off


def _halve(graph: onnx.GraphProto) -> None:
    """Store large weights as float16, each with a cast to float32 before it is used."""
    casts = []
    for weights in graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < LEAST_HALVED:
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = weights.name
        stored = onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        weights.CopyFrom(stored)
        casts.append(
            onnx.helper.make_node("Cast", [stored.name], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
