"""Devices: "auto", lists of devices, and the agreement of several workers."""

from __future__ import annotations

import pickle

import pytest
import torch

from geochange.errors import OptionError
from geochange.models.inference import devices
from geochange.models.inference.devices import (
    DeviceSummary,
    agree_on_precision,
    choose_device,
    choose_devices,
    find_devices,
)


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for here, device in ((True, "cuda:0"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda here=here: here)
        assert choose_device("auto") == device


def test_the_cpu_may_be_named() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_devices("cpu") == ("cpu",)


@pytest.mark.parametrize("wanted", ["", "gpu", "cuda:99", "cpu,cuda", "cpu:x"])
def test_a_device_that_is_not_here_is_refused(wanted: str) -> None:
    with pytest.raises(OptionError, match=f"^--device {wanted}: not usable here") as caught:
        choose_device(wanted)
    assert "\n" not in str(caught.value)


def test_several_gpus_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(torch, "empty", lambda size, device: made.append(str(device)))
    assert choose_devices("cuda:1,cuda:0") == ("cuda:1", "cuda:0")
    assert made == ["cuda:1", "cuda:0"], "each is tried"
    assert choose_device("cuda") == "cuda:0"


def test_one_that_is_missing_refuses_the_list() -> None:
    if torch.cuda.device_count() > 1:
        pytest.skip("both are here")
    with pytest.raises(OptionError, match=r"^--device cuda:"):
        choose_devices("cuda:0,cuda:1")


def test_a_worker_finds_what_it_has() -> None:
    assert find_devices("cpu", "bfloat16") == DeviceSummary(("cpu",), "bfloat16")
    assert find_devices("cpu", "auto").precision in ("float32", "bfloat16")


GPU, OLD, CPU = (
    DeviceSummary(("cuda:0",), "bfloat16"),
    DeviceSummary(("cuda:0",), "float32"),
    DeviceSummary(("cpu",), "float32"),
)


@pytest.mark.parametrize(
    ("workers", "precision", "warnings"),
    [
        ([GPU, GPU], "bfloat16", []),
        ([CPU], "float32", []),
        ([GPU, OLD], "float32", ["workers differ: some would compute in bfloat16"]),
        ([OLD, CPU], "float32", ["some workers have a GPU and some none"]),
        ([GPU, CPU], "float32", ["workers differ", "some workers have a GPU"]),
    ],
)
def test_workers_compute_in_what_all_can(
    workers: list[DeviceSummary],
    precision: str,
    warnings: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert agree_on_precision({f"tcp://{i}": found for i, found in enumerate(workers)}) == precision
    assert len(caplog.messages) == len(warnings)
    for said, expected in zip(caplog.messages, warnings, strict=True):
        assert said.startswith(expected)


def test_a_worker_without_the_device_refuses_for_all() -> None:
    refusal = pickle.loads(pickle.dumps(OptionError("--device cuda:1: not usable here")))
    with pytest.raises(OptionError, match=r"^worker tcp://b: --device cuda:1: not usable here$"):
        agree_on_precision({"tcp://a": GPU, "tcp://b": refusal})


def test_devices_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    devices.devices_of.cache_clear()
    asked: list[str] = []
    monkeypatch.setattr(devices, "choose_device", lambda name: asked.append(name) or name)
    assert devices.devices_of("x,y") == devices.devices_of("x,y") == ("x", "y")
    assert asked == ["x", "y"]
    devices.devices_of.cache_clear()
