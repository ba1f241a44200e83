"""What an ONNX file says, what is guessed of it, and its description as YAML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geochange.errors import OutputError
from geochange.files.atomic import write_text
from geochange.files.output_paths import check_target
from geochange.models.weights.locate import locate_weights

if TYPE_CHECKING:
    from geochange.models.onnx.describe import Description
    from geochange.models.onnx.file_checks import Port
    from geochange.models.onnx.probe import Probed

LAYOUTS = {
    "two": "both dates as two inputs",
    "stacked": "both dates in one input, the bands of before first",
    "dates": "both dates in one input, before first",
}


def probe_onnx(file: str) -> Probed:
    """Look through a file of ONNX, and probe it with noise. Raises InputError and OptionError."""
    # Imported here: numpy, pydantic and onnxruntime load slower than a refusal may take.
    from geochange.models.onnx.describe import outlined
    from geochange.models.onnx.probe import probe

    return probe(outlined(locate_weights(file)), os.cpu_count() or 1)


def onnx_in_a_line(path: Path) -> str:
    """A network of ONNX in one line; it is not loaded. Raises InputError and OptionError."""
    from geochange.models.onnx.describe import outlined

    known = outlined(path)
    missing = known.missing()
    said = f"nobody says its {', '.join(missing)}" if missing else f"says {known.says}"
    return f"ONNX network, {known.bands or '?'} bands of a date, {said}"


def onnx_values(probed: Probed) -> dict[str, Any]:
    """What is known of a network as JSON values."""
    known, outline = probed.known, probed.known.outline
    return {
        "file": str(known.path),
        "kind": "ONNX",
        "opset": outline.opset,
        "producer": outline.producer,
        "operators": outline.nodes,
        "weights_bytes": outline.weights_bytes,
        "layout": known.layout,
        "inputs": [_port_values(port) for port in known.inputs],
        "outputs": [_port_values(port) for port in outline.outputs],
        "sides": list(known.sides),
        "options": probed.options.model_dump(mode="json"),
        "guessed": list(probed.guessed),
    }


def _port_values(port: Port) -> dict[str, Any]:
    return {"name": port.name, "kind": port.kind, "shape": port.shape and list(port.shape)}


def onnx_rows(probed: Probed) -> dict[str, str]:
    """The same as rows of a table."""
    known, outline = probed.known, probed.known.outline
    options = {
        name: _plain(value) + (" (guessed: check it)" if name in probed.guessed else "")
        for name, value in probed.options.model_dump().items()
        if value not in (None, "", ())
    }
    return {
        "file": str(known.path),
        "kind": f"ONNX network, opset {outline.opset}, {outline.nodes:,} operators",
        "producer": outline.producer or "not said",
        "weights": f"{outline.weights_bytes / 1e6:,.1f} MB",
        "takes": f"{LAYOUTS[known.layout]}, {_sides(known)}",
        "inputs": ", ".join(map(_port, known.inputs)),
        "outputs": ", ".join(map(_port, outline.outputs)),
        **{f"  {name}": text for name, text in options.items()},
    }


def _sides(known: Description) -> str:
    if None in known.sides:
        return "of any size" if known.options.multiple == 1 else "padded to its multiple"
    return f"of {known.sides[0]} x {known.sides[1]} px alone"


def _port(port: Port) -> str:
    shape = "?" if port.shape is None else " x ".join(str(side or "?") for side in port.shape)
    return f"{port.name} ({port.kind}, {shape})"


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def write_description(probed: Probed) -> Path:
    """Write FILE.onnx.yaml, which says all options. An existing one may be edited, and stays.

    Raises OutputError.
    """
    from geochange.config.onnx import description_of
    from geochange.config.yaml_files import to_yaml

    target = description_of(probed.known.path)
    if target.exists():
        raise OutputError(f"{target}: exists, so it is not overwritten; delete it first")
    check_target(target)
    guessed = f"Guessed, so check them: {', '.join(probed.guessed)}." if probed.guessed else ""
    head = f"# Read by: geochange run ... --model {target.stem}\n"
    write_text(target, head + (f"# {guessed}\n" if guessed else "") + to_yaml(probed.options))
    return target
