"""The graphs of a shipped network for onnxruntime: operators alone, weights left in the checkpoint.

Each graph names the places of its weights in the file of safetensors beside it (ONNX "external
data"), so it takes some hundred kilobytes. It carries the hash of that file: of another file the
places would be wrong. `make graphs` writes them anew.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from geochange.files.atomic import atomic_path
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.onnx.export.engine_modules import MODULES
from geochange.models.onnx.export.write import OPSET
from geochange.models.onnx.shipped.graphs import GRAPHS, SHA_KEY, TABLES_KEY, graph_file
from geochange.models.prompts import BACKGROUND, FOREGROUND, START
from geochange.models.weights.locate import SHIPPED
from geochange.models.weights.openclip import bpe_encoder

TRACED_PX = 96, 160
"""Height and width of the traced pictures, which are no tower's own size."""

LEAST_LINKED = 64
"""Weights of fewer numbers are written into the graph."""

Ports = tuple[dict[str, dict[int, str]], tuple[str, ...]]
"""Inputs with their sides of any length, and outputs."""

SIDES = {2: "height", 3: "width"}


PORTS: dict[str, Ports] = {
    "scores": ({"picture": SIDES}, ("scores",)),
    "texts": ({"tokens": {}}, ("embedding",)),
    "change": ({"before": SIDES, "after": SIDES, "one": {}, "two": {}}, ("change",)),
    "land": ({"before": SIDES, "after": SIDES}, ("numbers",)),
    "places": ({"picture": SIDES}, ("scores",)),
    "opinion": (
        {"before": SIDES, "after": SIDES, "change": {1: "height", 2: "width"}},
        ("land", "said"),
    ),
}


def write_graphs(name: str = "changeclip-small") -> list[Path]:
    """Write the graphs of a shipped network beside its checkpoint. Returns their files."""
    checkpoint = SHIPPED[name]
    detector = DetectorSpec(str(checkpoint), precision="float32").build()
    stored = StoredTensors(checkpoint)
    parts = [part for part in GRAPHS if part != "places" or detector.scores_places]
    return [_write(detector, part, stored, graph_file(checkpoint, part)) for part in parts]


def _write(detector: ChangeClipDetector, part: str, stored: StoredTensors, target: Path) -> Path:
    with atomic_path(target) as aside:
        _trace(MODULES[part](detector).eval(), part, _inputs(detector, part), aside)
        model = onnx.load(aside)
        merge_padding(model.graph)
        stored.link(model.graph)
        said = {SHA_KEY: stored.sha256}
        if part == "texts":
            said[TABLES_KEY] = json.dumps(_tables(detector))
        onnx.helper.set_model_props(model, said)
        aside.write_bytes(model.SerializeToString(deterministic=True))
        aside.chmod(0o644)
    return target


def _tables(detector: ChangeClipDetector) -> dict[str, object]:
    """The tokens of the parts of a text, and what the card says."""
    encode, card = bpe_encoder(), detector.card
    return {
        "background": [START, *encode(BACKGROUND)],
        "head": [START, *encode(FOREGROUND.strip())],
        "names": {name: encode(name) for name in (*card.vocabulary, *detector.fixed[0])},
        "comma": encode(","),
        "places": card.options.text.places,
        "fixed": detector.fixed,
        "vocabulary": card.vocabulary,
        "prompts": card.prompts,
        "threshold": card.threshold,
        "temperature": card.temperature,
        "meanings": card.meanings,
        "least_score": detector.naming.least_score,
        "place": detector.scores_places,
        "confidence": None if card.confidence is None else card.confidence.to_json(),
        "land": card.land.head.classes if card.land else (),
    }


def _inputs(detector: ChangeClipDetector, part: str) -> tuple[torch.Tensor, ...]:
    height, width = TRACED_PX
    noise = torch.rand(2, 1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 255
    pictures = (noise[0], noise[1])
    if part in ("scores", "places"):
        return (noise[0],)
    if part == "texts":
        return (torch.arange(detector.card.options.text.places)[None],)
    if part == "land":
        return pictures
    if part == "opinion":
        return (*pictures, noise[0, :, 0] / 32 - 4)
    embed = detector.card.options.visual.embed
    return (*pictures, torch.rand(1, 2, embed), torch.rand(1, 2, embed))


def _trace(module: nn.Module, part: str, inputs: Sequence[torch.Tensor], target: Path) -> None:
    axes, outputs = PORTS[part]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # see `write`
        torch.onnx.export(
            module,
            tuple(inputs),
            target,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(axes),
            output_names=list(outputs),
            dynamic_axes={name: sides for name, sides in axes.items() if sides},
            # Weights stay as they are in the checkpoint; onnxruntime folds them when it loads.
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
        )


class StoredTensors:
    """The places of tensors in a file of safetensors, by shape and value."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        raw = path.read_bytes()
        self.sha256 = hashlib.sha256(raw).hexdigest()
        start = 8 + int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:start])
        self._places: dict[tuple[tuple[int, ...], bytes], tuple[str, int, int]] = {}
        for name, entry in header.items():
            if name == "__metadata__" or entry["dtype"] not in ("F16", "F32"):
                continue
            first, last = (start + offset for offset in entry["data_offsets"])
            key = tuple(entry["shape"]), _digest(raw[first:last])
            self._places[key] = entry["dtype"], first, last - first

    def link(self, graph: onnx.GraphProto) -> None:
        """Take the values of a graph's large weights from the file, cast to float32 when loaded."""
        casts = []
        for weights in graph.initializer:
            place = self._find(numpy_helper.to_array(weights))
            if place is None:
                continue
            kind, offset, length = place
            used = weights.name
            if kind == "F16":
                weights.name = f"{used}.half"
                weights.data_type = onnx.TensorProto.FLOAT16
                casts.append(
                    onnx.helper.make_node("Cast", [weights.name], [used], to=onnx.TensorProto.FLOAT)
                )
            weights.ClearField("raw_data")
            weights.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", self._name), ("offset", offset), ("length", length)):
                weights.external_data.add(key=key, value=str(value))
        nodes = [*casts, *graph.node]
        del graph.node[:]
        graph.node.extend(nodes)

    def _find(self, values: NDArray[Any]) -> tuple[str, int, int] | None:
        if values.dtype != np.float32 or values.size < LEAST_LINKED:
            return None
        for kind in (np.float16, np.float32):
            place = self._places.get((values.shape, _digest(values.astype(kind).tobytes())))
            if place is not None:
                return place
        return None


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def merge_padding(graph: onnx.GraphProto) -> None:
    """Give the zeros of `SameConv` to the convolution behind them: the input then needs no copy."""
    padded = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Pad"}
    for node in graph.node:
        if node.op_type != "Conv" or node.input[0] not in padded:
            continue
        known = {each.name: each for each in node.attribute}
        stride, kernel = known["strides"].ints[0], known["kernel_shape"].ints[0]
        if stride == 1 or any(known["pads"].ints):
            continue
        even = kernel - stride
        first, last = even // 2, even - even // 2
        known["pads"].ints[:] = [first, first, last, last]
        node.input[0] = padded[node.input[0]]
