"""pipelines/cluster.py: several processes give the same result as one; missing packages are named."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from distributed import LocalCluster
from geopandas.testing import assert_geodataframe_equal
from makers import make_raster, texture
from pipeline_runs import pipeline, pipeline_afresh

import geochange
from geochange.models.changeclip.variants import Regularisation
from geochange.models.learning.trainable import NetworkStart, initial_network
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint
from geochange.vector.files.writers import read_changes

pytestmark = pytest.mark.slow

OPTIONS = {"model": "cva", "tile": 64, "overlap": 16, "block": 2, "report": "none"}
WORDS = [word for name, value in OPTIONS.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("cluster")
    before = texture(320).clip(0, 255).astype(np.uint8)
    after = before.copy()
    after[40:90, 60:110] = 255 - after[40:90, 60:110]  # across tiles and blocks
    after[200:230, 250:290] = 20
    return (
        make_raster(folder / "before.tif", before),
        make_raster(folder / "after.tif", after),
    )


@pytest.fixture(scope="module")
def alone(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> geochange.Result:
    return geochange.detect(*pair, tmp_path_factory.mktemp("alone") / "changes.gpkg", **OPTIONS)


def same(out: Path, alone: geochange.Result) -> None:
    assert alone.polygons >= 2
    assert out.with_suffix(".tif").read_bytes() == alone.raster.read_bytes()
    assert_geodataframe_equal(read_changes(out), alone.changes)


def test_a_fresh_script_gives_the_bits_of_one_process(
    pair: tuple[Path, Path], alone: geochange.Result, tmp_path: Path
) -> None:
    out = tmp_path / "changes.gpkg"
    done = pipeline_afresh("cluster", *map(str, pair), "--out", str(out), "--workers", "1", *WORDS)
    assert done.returncode == 0, done.stderr
    assert f"polygons     {out}  {alone.polygons}" in done.stdout
    same(out, alone)


@pytest.fixture
def whole_sums(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The number of threads that split a sum decides its last bits: one in every process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("whole_sums", "forked_workers")
def test_two_processes_give_the_bits_of_one_for_a_network(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    network, card = initial_network(NetworkStart("tiny", None, Regularisation()))
    model = tmp_path / "tiny.safetensors"
    write_checkpoint(model, Checkpoint(replace(card, prompts="fixed"), network.state_dict()))
    alone = geochange.detect(
        *pair,
        tmp_path / "alone.gpkg",
        threshold=0.5,
        precision="float32",
        **{**OPTIONS, "model": str(model)},
    )
    out = tmp_path / "changes.gpkg"
    network_words = ["--set", f"model={model}", "--set", "threshold=0.5"]
    network_words += [
        "--set",
        "precision=float32",
    ]  # the batch size of a CPU does not depend on load
    done = pipeline(
        *("cluster", *map(str, pair), "--out", str(out), "--workers", "2", "--threads", "1"),
        *(*WORDS, *network_words, "--quiet"),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.with_suffix(".tif").read_bytes() == alone.raster.read_bytes()
    assert_geodataframe_equal(read_changes(out), alone.changes)


def stand_in(asked: dict[str, Any]) -> type[LocalCluster]:
    """Replaces a cluster of GPUs or SLURM: uses threads, and records its arguments."""

    class StandIn(LocalCluster):
        def __init__(self, **options: Any) -> None:
            asked.update(options)
            page = options.get("scheduler_options", options)["dashboard_address"]
            own = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "memory_limit": 0}
            super().__init__(**own, security=options["security"], dashboard_address=page)
            assert self.scheduler_address.startswith("tls://127.0.0.1:")
            assert self.dashboard_link.startswith("http://127.0.0.1:")

        def scale(self, jobs: int) -> None:
            super().scale(jobs)

        def job_script(self) -> str:
            return "#!/bin/sh"

    return StandIn


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The arguments of the replacements for dask-cuda and dask-jobqueue; sbatch accepts any script."""
    asked: dict[str, Any] = {}
    for package, name in (("dask_cuda", "LocalCUDACluster"), ("dask_jobqueue", "SLURMCluster")):
        module = ModuleType(package)
        setattr(module, name, stand_in(asked))
        monkeypatch.setitem(sys.modules, package, module)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\ngrep -q bin/sh")
    (tmp_path / "bin" / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return asked


def test_slurm_is_asked_for_a_job_a_worker_with_a_gpu_each(
    pair: tuple[Path, Path], alone: geochange.Result, asked: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "changes.gpkg"
    words = [*map(str, pair), "--out", str(out), "--on", "slurm", "--workers", "2"]
    words += ["--slurm", "queue=gpu", "--slurm", "walltime=01:00:00", "--threads", "3", *WORDS]
    done = pipeline("cluster", *words)
    assert done.returncode == 0, done.stderr
    keys = Path(asked.pop("shared_temp_directory"))
    assert keys.parent == tmp_path, "on the disk that all jobs see"
    assert asked.pop("log_directory") == str(keys), "deleted with the keys"
    assert asked == {
        **{"cores": 3, "processes": 1, "memory": "32GB", "walltime": "01:00:00", "queue": "gpu"},
        "job_extra_directives": ["--gres=gpu:1"],
        "worker_extra_args": ["--memory-limit", "0", "--dashboard-address", "127.0.0.1:0"],
        **{"security": True, "scheduler_options": {"dashboard_address": "127.0.0.1:0"}},
    }
    same(out, alone)


def test_gpus_have_a_worker_each(
    pair: tuple[Path, Path], alone: geochange.Result, asked: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "changes.gpkg"
    words = [*map(str, pair), "--out", str(out), "--on", "gpus", "--workers", "1", *WORDS]
    done = pipeline("cluster", *words)
    assert done.returncode == 0, done.stderr
    assert (asked["CUDA_VISIBLE_DEVICES"], asked["host"]) == ([0], "127.0.0.1")
    same(out, alone)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "gpus"], "--on gpus needs dask-cuda: pip install dask-cuda"),
        (["--on", "slurm"], "--on slurm needs dask-jobqueue: pip install dask-jobqueue"),
        (["--on", "moon"], "moon: say local, gpus, slurm, or an address"),
        (["--on", "tcp://127.0.0.1:9"], "does not answer"),
        (["--set", "tyle=512", "--workers", "1"], "no option tyle"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_refusals_are_one_line(
    words: list[str],
    said: str,
    pair: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("geochange.cluster.dask_jobs.CONNECT_S", 1)
    for absent in ("dask_cuda", "dask_jobqueue"):
        monkeypatch.setitem(sys.modules, absent, None)
    done = pipeline("cluster", *map(str, pair), "--out", str(tmp_path / "c.gpkg"), *words)
    assert (done.returncode, done.stdout) == (2, "")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("WARNING ")]
    assert len(lines) == 1 and said in lines[0]
    assert list(tmp_path.iterdir()) == []
