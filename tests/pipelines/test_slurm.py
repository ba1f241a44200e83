"""pipelines/cluster.py --on slurm in a real SLURM: jobs wait, are cancelled and preempted."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_pages import ROOT
from held_model import NAME, begun, write_held
from pipeline_runs import pipeline
from slow_runs import OPTIONS, assert_same, write_inputs
from slurm_cluster import Slurm, slurm_cluster
from waiting import wait_until

import geochange

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

SIZE = 256
RUN = {name.strip("-"): value for name, value in zip(OPTIONS[:6:2], OPTIONS[1:6:2], strict=True)}
"""The options that decide the answer: tile, overlap and block."""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as started:
        yield started


@pytest.fixture
def here(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """The same, for commands that this process starts."""
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    return slurm


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pair, the model, and what the script of the page names."""
    write_inputs(tmp_path, SIZE)
    write_held(tmp_path)
    (tmp_path / "pipelines").symlink_to(ROOT / "pipelines")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text(
        f"PATH={Path(sys.executable).parent}:$PATH"
    )
    monkeypatch.setenv("HELD", str(tmp_path))
    paths = str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT", "3s")
    return tmp_path


def script_of_the_page() -> str:
    """The script for sbatch, for two small workers and the model that waits."""
    page = (ROOT / "docs" / "several-machines.md").read_text()
    found = re.search(r"<!-- sbatch -->\n```sh\n(.*?)```", page, flags=re.DOTALL)
    assert found is not None
    script, changes = found[1], {"--workers 8 --threads 8": "--workers 2 --threads 1"}
    settings = {**RUN, "model": NAME, "min_area": 0, "skip_checks": "true"}
    words = [f"--set {name}={value}" for name, value in settings.items()]
    changes["--set model=model.safetensors"] = " ".join(words)
    for old, new in changes.items():
        assert script.count(old) == 1
        script = script.replace(old, new)
    return script


def test_jobs_that_wait_are_cancelled_or_preempted_change_no_bit(
    slurm: Slurm, folder: Path
) -> None:
    script = folder / "geochange.sh"
    script.write_text(script_of_the_page())
    options = {**RUN, "model": NAME, "min_area": 0, "skip_checks": True}
    pair = folder / "before.tif", folder / "after.tif"
    geochange.detect(*pair, folder / "alone.gpkg", **options)
    (folder / "hold").touch()
    others = slurm.occupy("gpu", 2)
    run = slurm.submit(f"--chdir={folder}", f"--output={folder}/run.txt", str(script))
    wait_until(lambda: len(slurm.jobs("gpu", "PENDING")) == 2)  # the queue is full
    slurm.cancel(others)
    wait_until(lambda: len(begun(folder)) == 2)
    assert len(set(begun(folder).values())) == 2, "each has its own GPU"
    cancelled = min(begun(folder))
    slurm.cancel(cancelled)
    wait_until(lambda: len(begun(folder)) == 3)  # another one works in its place
    urgent = slurm.occupy("urgent", 1)
    left = begun(folder).keys() - {cancelled}
    wait_until(lambda: any(slurm.details(job)["Restarts"] == "1" for job in left))  # preempted
    slurm.cancel(urgent)
    (folder / "hold").unlink()
    wait_until(lambda: slurm.details(run)["JobState"] not in ("RUNNING", "COMPLETING"))
    assert (folder / "run.txt").read_text() == ""
    assert slurm.details(run)["JobState"] == "COMPLETED"
    assert_same(folder / "changes.gpkg", folder / "alone.gpkg")
    wait_until(lambda: not slurm.jobs("gpu", "PENDING,RUNNING"))
    assert not list(folder.glob("*keys*"))


def test_a_queue_that_stays_full_is_not_waited_for_longer(here: Slurm, folder: Path) -> None:
    others = here.occupy("gpu", 3)
    wait_until(lambda: here.jobs("gpu", "RUNNING"))
    words = [str(folder / "before.tif"), str(folder / "after.tif"), "--on", "slurm"]
    words += ["--out", str(folder / "changes.gpkg"), "--wait", "0.02", "--workers", "2"]
    words += ["--threads", "1"]
    done = pipeline("cluster", *words, "--set", "model=cva", "--slurm", "memory=2GB")
    assert done.returncode == 2
    assert done.stderr == (
        "geochange: not all of 2 workers came up in 0.02 minutes; wait longer, or ask for fewer\n"
    )
    assert here.jobs("gpu", "PENDING,RUNNING") == {others}
    here.cancel(others)
    assert not list(folder.glob("*changes*"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("queue=nowhere", "invalid partition specified: nowhere"),
        ("gres=gpu:9", "Requested node configuration is not available"),
    ],
)
def test_a_job_that_slurm_would_never_run_is_refused_in_its_words(
    asked: str, said: str, here: Slurm, folder: Path
) -> None:
    words = [str(folder / "before.tif"), str(folder / "after.tif"), "--on", "slurm"]
    words += ["--out", str(folder / "changes.gpkg"), "--threads", "1", "--slurm", asked]
    words += ["--set", "model=cva"]
    done = pipeline("cluster", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert not here.jobs("gpu", "PENDING,RUNNING")
