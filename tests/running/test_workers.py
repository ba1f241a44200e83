"""Workers choose their own devices, and all use the same precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from distributed import Client, LocalCluster

from geochange import detect
from geochange.config import RunOptions
from geochange.errors import OptionError
from geochange.models import ModelSpec, PromptingOptions
from geochange.models.inference.devices import DeviceSummary
from geochange.running.workers import spec_for_workers

NETWORK = ModelSpec("model.safetensors", "cpu", prompting=PromptingOptions(precision="float32"))


class Workers:
    """A client whose workers have these devices."""

    def __init__(self, **found: DeviceSummary | Exception) -> None:
        self.found = found

    def run(self, function: Callable[..., Any], *arguments: Any, on_error: str) -> dict[str, Any]:
        assert on_error == "return"
        self.asked = (function.__name__, *arguments)
        return self.found


def settle(spec: ModelSpec, workers: Workers, **options: Any) -> ModelSpec:
    return spec_for_workers(cast(Client, workers), spec, RunOptions.parse(options))


def test_a_client_without_a_gpu_has_gpu_workers_use_theirs() -> None:
    gpu = DeviceSummary(("cuda:0",), "bfloat16")
    workers = Workers(a=gpu, b=gpu)
    settled = settle(NETWORK, workers)
    assert workers.asked == ("find_devices", "auto", "auto")
    assert settled.device == "auto", "each worker settles it for itself"
    assert settled.prompting.precision == "bfloat16"


def test_workers_that_differ_take_what_all_can() -> None:
    workers = Workers(
        a=DeviceSummary(("cuda:0",), "bfloat16"), b=DeviceSummary(("cpu",), "float32")
    )
    assert settle(NETWORK, workers).prompting.precision == "float32"


def test_devices_that_are_named_are_asked_of_every_worker() -> None:
    workers = Workers(
        a=DeviceSummary(("cuda:0", "cuda:1"), "bfloat16"), b=OptionError("--device: none")
    )
    with pytest.raises(OptionError, match=r"^worker b: --device: none"):
        settle(NETWORK, workers, devices="0,1")
    assert workers.asked == ("find_devices", "cuda:0,cuda:1", "auto")


def test_a_model_without_a_network_keeps_its_numbers() -> None:
    spec = ModelSpec("cva", "cpu", {"cut": 1.0})
    settled = settle(spec, Workers(a=DeviceSummary(("cuda:0",), "bfloat16")))
    assert settled == spec, "it computes on the CPU of every worker"
    own = ModelSpec("package.module:Class", "cpu")
    gpu = Workers(a=DeviceSummary(("cuda:0",), "bfloat16"))
    assert settle(own, gpu) == replace(own, device="auto")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.slow
def test_a_scheduler_changes_nothing(
    scheduler: str, pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    alone = detect(*pair_paths, tmp_path / "a.gpkg", tile=32, overlap=8, model="cva")
    shared = detect(
        *pair_paths, tmp_path / "b.gpkg", tile=32, overlap=8, model="cva", scheduler=scheduler
    )
    assert shared.raster.read_bytes() == alone.raster.read_bytes()


@pytest.mark.slow
def test_a_device_that_a_worker_lacks_is_refused(
    scheduler: str, pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "a.gpkg"
    with pytest.raises(OptionError, match=r"^worker .*: --device cuda:63: not usable here"):
        detect(*pair_paths, out, device="63", scheduler=scheduler)
    assert not list(tmp_path.glob("*a.gpkg*"))


def test_a_network_of_onnx_runs_where_it_was_settled() -> None:
    gpu = DeviceSummary(("cuda:0",), "bfloat16")
    spec = ModelSpec("net.onnx", "cpu", network={"options": {}, "provider": None})
    assert settle(spec, Workers(a=gpu)) == spec, "workers need not have the provider of their GPU"
    named = settle(spec, Workers(a=gpu), device="cuda:0")
    assert (named.device, named.prompting) == ("cuda:0", spec.prompting)
    other = ModelSpec("net.onnx", "cpu", network={"options": {}, "provider": "OpenVINO"})
    assert settle(other, Workers(a=gpu), device="openvino") == other
