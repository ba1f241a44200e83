"""The engine of a run: onnxruntime for the shipped network on a CPU, torch for all else."""

from __future__ import annotations

from typing import Any

import pytest

from geochange.config import RunOptions
from geochange.errors import MissingDependencyError, OptionError
from geochange.inputs import choose_engine as module
from geochange.inputs.choose_engine import choose_engine
from geochange.inputs.choose_model import choose_model
from geochange.models.inference import gpu_presence


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "may_have_gpu", lambda: False)


def chosen(**options: Any) -> str:
    return choose_engine(RunOptions.parse(options))


OTHERWISE: list[dict[str, Any]] = [
    {"model": "other.safetensors"},
    {"model": "cva"},
    {"clip": "RN50/openai"},
    {"vocabulary": "names.txt"},
    {"precision": "bfloat16"},
    {"compile": True},
    {"device": "cuda:0"},
    {"scheduler": "tls://host:8786"},
]


@pytest.mark.parametrize("options", [{}, {"device": "cpu"}, {"prompts": "fixed", "only": "road"}])
def test_the_shipped_network_on_a_cpu_runs_by_onnxruntime(options: dict[str, Any]) -> None:
    assert chosen(**options) == "onnx"
    assert chosen(**options, engine="torch") == "torch"


@pytest.mark.parametrize("options", OTHERWISE)
def test_all_else_runs_by_torch(options: dict[str, Any]) -> None:
    assert chosen(**options) == "torch"
    with pytest.raises(OptionError, match="use --engine torch"):
        chosen(**options, engine="onnx")


def test_a_gpu_is_left_to_torch_unless_onnx_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "may_have_gpu", lambda: True)
    assert chosen() == "torch"
    assert chosen(device="cpu") == chosen(engine="onnx") == "onnx"


def test_without_onnxruntime_torch_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert chosen() == "torch"
    with pytest.raises(MissingDependencyError, match=r"geochange\[onnx\]"):
        chosen(engine="onnx")


def test_a_network_of_onnx_runs_as_such() -> None:
    assert chosen(model="net.onnx") == "torch"
    with pytest.raises(OptionError, match="leave --engine out"):
        chosen(model="net.onnx", engine="torch")


def test_the_engine_is_part_of_what_a_run_resumes_by() -> None:
    by_onnx = choose_model("changeclip-small", RunOptions(device="cpu"), engine="onnx")
    assert by_onnx.without_torch
    assert '"engine": "onnx"' in by_onnx.key()


def test_amd_cards_and_drivers_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    gpu_presence.may_have_gpu.cache_clear()
    monkeypatch.setattr(gpu_presence, "AMD", tmp_path)
    assert gpu_presence.may_have_gpu()
    gpu_presence.may_have_gpu.cache_clear()
    monkeypatch.setattr(gpu_presence, "AMD", tmp_path / "none")
    monkeypatch.setattr(gpu_presence, "DRIVERS", {})
    assert not gpu_presence.may_have_gpu()
    gpu_presence.may_have_gpu.cache_clear()
