"""ONNX files that somebody made to harm: one line each, before any library parses them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_files import siamese

from geochange.errors import InputError, OptionError
from geochange.models.onnx import protobuf_wire, session
from geochange.models.onnx.describe import describe
from geochange.models.onnx.file_checks import read_outline
from geochange.models.onnx.network import OnnxNetwork
from geochange.models.onnx.probe import probe
from geochange.models.onnx.session import Session

F32 = TensorProto.FLOAT
BOTH = helper.make_tensor_value_info("both", F32, ["b", 6, "h", "w"])
OUT = helper.make_tensor_value_info("out", F32, None)
ONE = numpy_helper.from_array(np.ones(1, np.float32), "one")


def model(
    *nodes: onnx.NodeProto, weights: tuple[onnx.TensorProto, ...] = (ONE,), **more: Any
) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [BOTH], [OUT], list(weights))
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, **more
    )


def node(operator: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, ["both", "one"], ["out"], **attributes)


ADD = node("Add")


def outside(location: str, length: int = 4) -> onnx.TensorProto:
    tensor = TensorProto(name="one", data_type=F32, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def claiming(dims: list[int], **values: Any) -> onnx.TensorProto:
    return TensorProto(name="one", data_type=F32, dims=dims, **values)


def with_body(operator: str, depth: int = 1) -> onnx.NodeProto:
    inner = ADD if depth == 1 else with_body("If", depth - 1)
    body = helper.make_graph([inner], "body", [], [OUT])
    branches = ("then_branch", "else_branch") if operator == "If" else ("body",)
    return helper.make_node(operator, ["one"], ["out"], **dict.fromkeys(branches, body))


def function() -> onnx.ModelProto:
    made = helper.make_function(
        "", "F", ["x", "one"], ["y"], [helper.make_node("Add", ["x", "one"], ["y"])], []
    )
    return model(ADD, functions=[made])


def sparse() -> onnx.ModelProto:
    made = model(ADD)
    made.graph.sparse_initializer.add(dims=[2**40])
    return made


def training() -> onnx.ModelProto:
    made = model(ADD)
    made.training_info.add()
    return made


REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "a path": (lambda: model(ADD, weights=(outside("/etc/passwd"),)), "in a file beside it"),
    "up": (lambda: model(ADD, weights=(outside("../up.bin"),)), "in a file beside it"),
    "a folder": (lambda: model(ADD, weights=(outside("in/a.bin"),)), "in a file beside it"),
    "for Windows": (lambda: model(ADD, weights=(outside("C:\\a.bin"),)), "in a file beside it"),
    "a link": (lambda: model(ADD, weights=(outside("link.bin"),)), "in a file beside it"),
    "a null": (lambda: model(ADD, weights=(outside("a\0b"),)), "in a file beside it"),
    "missing": (lambda: model(ADD, weights=(outside("no.bin"),)), "not beside it; put it there"),
    "too short": (lambda: model(ADD, weights=(outside("two.bin"),)), "takes 4 bytes at 0"),
    "a wrong length": (lambda: model(ADD, weights=(outside("two.bin", 2),)), "takes 4 bytes"),
    "claims": (lambda: model(ADD, weights=(claiming([2**30]),)), "claims 1,073,741,824 numbers"),
    "claims raw": (
        lambda: model(ADD, weights=(claiming([2**30], raw_data=b"1234"),)),
        "holds 4 bytes",
    ),
    "claims less": (lambda: model(ADD, weights=(claiming([-1]),)), "which cannot be"),
    "many sides": (lambda: model(ADD, weights=(claiming([1] * 99),)), "which cannot be"),
    "in a constant": (
        lambda: model(helper.make_node("Constant", [], ["out"], value=claiming([2**30]))),
        "claims 1,073,741,824 numbers",
    ),
    "texts": (lambda: model(ADD, weights=(TensorProto(name="one", data_type=8),)), "holds texts"),
    "custom": (lambda: model(node("Run", domain="evil")), "'Run' of 'evil' is code"),
    "custom in a branch": (
        lambda: model(
            helper.make_node(
                "If",
                ["one"],
                ["out"],
                then_branch=helper.make_graph([node("Run", domain="evil")], "b", [], [OUT]),
            )
        ),
        "'Run' of 'evil' is code",
    ),
    "context": (lambda: model(node("EPContext", domain="com.microsoft")), "program of a device"),
    "loop": (lambda: model(with_body("Loop")), "may never end"),
    "scan": (lambda: model(with_body("Scan")), "may never end"),
    "hidden loop": (lambda: model(with_body("If", 1), with_body("BeamSearch")), "may never end"),
    "deep": (lambda: model(with_body("If", 12)), "branches within branches"),
    "random": (lambda: model(node("RandomNormalLike")), "draws random numbers"),
    "function": (function, "functions of its own"),
    "sparse": (sparse, "sparse weights"),
    "training": (training, "steps of a training"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_network_must_not_hold_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    make, line = REFUSED[case]
    (tmp_path / "up.bin").write_bytes(b"1234")
    folder = tmp_path / "net"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a.bin").write_bytes(b"1234")
    (folder / "two.bin").write_bytes(b"12")
    (folder / "link.bin").symlink_to(tmp_path / "up.bin")
    path = folder / "net.onnx"
    path.write_bytes(make().SerializeToString())
    with pytest.raises(InputError) as caught:
        read_outline(path)
    assert line in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_what_a_network_may_hold_is_read(tmp_path: Path) -> None:
    (tmp_path / "four.bin").write_bytes(b"1234")
    path = tmp_path / "net.onnx"
    path.write_bytes(
        model(ADD, with_body("If", 2), weights=(outside("four.bin"),)).SerializeToString()
    )
    found = read_outline(path)
    assert found.files == {tmp_path / "four.bin"} and found.weights_bytes == 4
    assert [port.name for port in found.inputs] == ["both"]
    assert found.inputs[0].shape == ("b", 6, "h", "w")


@pytest.mark.slow
def test_damage_is_named_wherever_it_lies(tmp_path: Path) -> None:
    whole = siamese(tmp_path / "net.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    refused = 0
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        try:
            read_outline(path)
        except InputError as error:
            refused += str(error).startswith(f"{path}: ")
    # A cut between two fields of the whole is a file with less metadata.
    assert refused >= len(range(0, len(whole), 97)) - 2
    rng, said = np.random.default_rng(0), []
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_outline(path)
        except InputError as error:
            said.append(str(error))
    assert len(said) > 9 and not any("\n" in line for line in said)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a network\n" * 9,
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b\x91\xf3" * 21,
        b"\x3a\x02\x0a\x00" + b"\x3a\x00",
    ],
    ids=["empty", "text", "a length beyond", "noise", "two graphs"],
)
def test_what_is_no_onnx_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    with pytest.raises(InputError, match="no ONNX file, or a damaged one"):
        read_outline(tmp_path / "net.onnx")


def test_many_empty_messages_are_not_counted_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred bytes of memory each in a library, and two here."""
    monkeypatch.setattr(protobuf_wire, "MOST_FIELDS", 5000)
    nodes = b"\x0a\x00" * 2**20
    graph = b"\x3a" + _varint(len(nodes)) + nodes
    (tmp_path / "net.onnx").write_bytes(graph)
    with pytest.raises(InputError, match="more than 5,000 parts"):
        read_outline(tmp_path / "net.onnx")


def _varint(number: int) -> bytes:
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def doubling(times: int) -> onnx.ModelProto:
    """A few hundred bytes that ask for 2^times numbers."""
    names = ["one", *(f"d{i}" for i in range(times))]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=0) for a, b in pairwise(names)]
    nodes.append(helper.make_node("ReduceMax", [names[-1]], ["most"]))
    nodes.append(helper.make_node("Add", ["both", "most"], ["out"]))
    return model(*nodes)


def test_what_a_network_asks_for_ends_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(doubling(36).SerializeToString())
    monkeypatch.setattr(session, "_limit", [2**26])
    loaded = Session(path, "cpu", 1)
    with pytest.raises(
        OptionError, match=r"needs more memory than 0\.1 GB \(--max-memory\)"
    ) as told:
        loaded.run({"both": np.zeros((1, 6, 8, 8), np.float32)}, ["out"])
    assert "\n" not in str(told.value)


def test_weights_beyond_the_limit_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = siamese(tmp_path / "net.onnx")
    monkeypatch.setattr(session, "_limit", [1000])
    for look in (OnnxNetwork, probe):
        with pytest.raises(OptionError, match=r"its weights take .*; allow more"):
            look(describe(path))


def test_a_network_that_onnxruntime_refuses_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model(node("NoSuchOperator")).SerializeToString())
    with pytest.raises(InputError, match="onnxruntime cannot load it") as told:
        Session(path, "cpu", 1)
    assert "\n" not in str(told.value) and str(told.value).startswith(str(path))
