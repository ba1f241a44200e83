"""The outline of an ONNX file: inputs, outputs, metadata; and refusals before any library reads it.

Field numbers are those of onnx.proto. Control flow is refused: a Loop may never end, and its body
may grow without limit. An If is finite, and its branches are looked at like the network itself.
Functions of a file are refused: those that call each other twice are written out as 2^n nodes.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geochange.errors import InputError
from geochange.formatting import printable
from geochange.models.onnx.protobuf_wire import Span, Value, WireReader, damaged
from geochange.models.onnx.tensors import check_tensor, read_pair

DOMAINS = ("", "ai.onnx", "com.microsoft")
"""The domains of operators that onnxruntime brings itself."""

REFUSED = {
    **dict.fromkeys(("Loop", "Scan", "SequenceMap"), "is control flow that may never end"),
    "EPContext": "names a program of a device",
    **dict.fromkeys(
        ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
        "draws random numbers, so that no answer is the same twice",
    ),
    **dict.fromkeys(("Bernoulli", "Multinomial"), "draws random numbers"),
}
"""Operators that a network may not have, and why."""

DEEPEST = 8
"""The most branches within branches."""

MOST_METADATA = 2**20
"""The largest size of a value of metadata in bytes."""

TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16"}
"""Numbers of inputs and outputs, by data type."""

_OPSET, _PRODUCER, _GRAPH, _METADATA, _TRAINING, _FUNCTIONS = 8, 2, 7, 14, 20, 25
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE = 1, 5, 11, 12, 15
_OP, _ATTRIBUTE, _OP_DOMAIN = 4, 5, 7
_TENSOR, _BRANCH, _TENSORS, _BRANCHES, _ONE_SPARSE, _MANY_SPARSE = 5, 6, 10, 11, 22, 23

Side = int | str | None
"""A length of an input or output: fixed, named, or not said."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output. kind: of its numbers, by TYPES. shape: None where it is not said."""

    name: str
    kind: str
    shape: tuple[Side, ...] | None


@dataclass
class Outline:
    """What an ONNX file says of itself.

    weights_bytes: of all weights. files: those beside it that hold weights. operators: their names.
    """

    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    opset: int = 0
    producer: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    weights_bytes: int = 0
    files: set[Path] = field(default_factory=set)
    nodes: int = 0


def read_outline(path: Path) -> Outline:
    """Look through a file of ONNX. Raises InputError, which names it, for what it must not hold."""
    try:
        with path.open("rb") as stream:
            if not os.fstat(stream.fileno()).st_size:
                raise damaged("it is empty")
            with (
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as data,
            ):
                return _Outliner(WireReader(data), path.parent).outline()
    except InputError as error:
        raise InputError(f"{path}: {printable(str(error))}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


class _Outliner:
    def __init__(self, wire: WireReader, folder: Path) -> None:
        self.wire, self.folder = wire, folder
        self.found = Outline()

    def outline(self) -> Outline:
        graphs = []
        for number, value in self.wire.fields(self.wire.whole):
            if number == _GRAPH:
                graphs.append(_message(value))
            elif number == _OPSET:
                self._opset(_message(value))
            elif number == _METADATA:
                key, text = read_pair(self.wire, _message(value), MOST_METADATA)
                self.found.metadata[key] = text
            elif number == _PRODUCER:
                self.found.producer = self.wire.text(value)
            elif number in (_TRAINING, _FUNCTIONS):
                what = "steps of a training" if number == _TRAINING else "functions of its own"
                raise InputError(
                    f"it holds {what}; export the network alone (torch.onnx.export writes functions out)"
                )
        if len(graphs) != 1:
            raise damaged(f"{len(graphs)} graphs")
        self._graph(graphs[0], 0)
        return self.found

    def _opset(self, span: Span) -> None:
        found = dict(self.wire.fields(span))
        domain, version = self._text(found, 1), found.get(2, 0)
        if domain in ("", "ai.onnx") and isinstance(version, int):
            self.found.opset = version

    def _graph(self, span: Span, depth: int) -> None:
        if depth > DEEPEST:
            raise InputError(f"branches within branches, more than {DEEPEST} deep")
        ports: dict[int, list[Port]] = {_INPUT: [], _OUTPUT: []}
        stored = set()
        for number, value in self.wire.fields(span):
            if number == _NODE:
                self._node(_message(value), depth)
            elif number == _INITIALIZER:
                stored.add(self._tensor(_message(value)))
            elif number == _SPARSE:
                raise _sparse()
            elif number in ports and depth == 0:
                ports[number].append(self._port(_message(value)))
        if depth == 0:
            # Old files list their weights among the inputs, too.
            self.found.inputs = [port for port in ports[_INPUT] if port.name not in stored]
            self.found.outputs = ports[_OUTPUT]

    def _tensor(self, span: Span) -> str:
        held = check_tensor(self.wire, span, self.folder)
        self.found.weights_bytes += held.size
        if held.file is not None:
            self.found.files.add(held.file)
        return self._text(dict(self.wire.fields(span)), 8)

    def _node(self, span: Span, depth: int) -> None:
        self.found.nodes += 1
        attributes, operator, domain = [], "", ""
        for number, value in self.wire.fields(span):
            if number == _OP:
                operator = self.wire.text(value)
            elif number == _OP_DOMAIN:
                domain = self.wire.text(value)
            elif number == _ATTRIBUTE:
                attributes.append(_message(value))
        if domain not in DOMAINS:
            raise InputError(
                f"operator {operator[:40]!r} of {domain[:40]!r} is code that onnxruntime does not bring; "
                "export the network with operators of ONNX alone"
            )
        if operator in REFUSED:
            raise InputError(f"operator {operator} {REFUSED[operator]}; export the network without")
        for attribute in attributes:
            self._attribute(attribute, operator, depth)

    def _attribute(self, span: Span, operator: str, depth: int) -> None:
        for number, value in self.wire.fields(span):
            if number in (_TENSOR, _TENSORS):
                self._tensor(_message(value))
            elif number in (_ONE_SPARSE, _MANY_SPARSE):
                raise _sparse()
            elif number in (_BRANCH, _BRANCHES):
                if operator != "If":
                    raise InputError(
                        f"operator {operator[:40]!r} holds a network of its own, which may never end; "
                        "export the network without"
                    )
                self._graph(_message(value), depth + 1)

    def _port(self, span: Span) -> Port:
        found = dict(self.wire.fields(span))
        tensor = self._inner(found.get(2), 1)
        if tensor is None:
            raise InputError(f"{self._text(found, 1)[:40]!r} is no tensor")
        kind, shape = tensor.get(1, 0), tensor.get(2)
        sides = None if shape is None else tuple(self._sides(_message(shape)))
        name = self._text(found, 1)
        return Port(name, TYPES.get(kind, "other") if isinstance(kind, int) else "other", sides)

    def _inner(self, value: Value | None, number: int) -> Mapping[int, Value] | None:
        inner = None if value is None else dict(self.wire.fields(_message(value))).get(number)
        return None if inner is None else dict(self.wire.fields(_message(inner)))

    def _sides(self, span: Span) -> Iterator[Side]:
        for side in self.wire.messages(span, 1):
            found = dict(self.wire.fields(side))
            length = found.get(1)
            yield length if isinstance(length, int) and length else self._text(found, 2) or None

    def _text(self, found: Mapping[int, Value], number: int) -> str:
        return self.wire.text(found[number]) if number in found else ""


def _message(value: Value) -> Span:
    if isinstance(value, int):
        raise damaged("a number in the place of a message")
    return value


def _sparse() -> InputError:
    return InputError("it holds sparse weights, whose size it does not bound; store dense")
