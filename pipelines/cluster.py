"""One large pair on many GPUs or machines. The result equals that of one machine, bit by bit.

    python pipelines/cluster.py before.tif after.tif --out changes.gpkg --on gpus
    python pipelines/cluster.py before.tif after.tif --out changes.gpkg --on slurm --workers 32
    python pipelines/cluster.py before.tif after.tif --out changes.gpkg --on tls://host:8786

Each GPU has one worker: dask-cuda pins it to a GPU of this machine, or SLURM gives each job one. Both
rasters and the folder of --out must be on a disk that all workers can read and write.
"""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from dask import config

import geochange

PACKAGES = {"gpus": ("dask_cuda", "dask-cuda"), "slurm": ("dask_jobqueue", "dask-jobqueue")}
SLURM = {"memory": "32GB", "walltime": "12:00:00", "gres": "gpu:1"}  # of a job, by default
PAGE = {"dashboard_address": "127.0.0.1:0"}  # visible only on this machine
Chosen = dict[str, Any]


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: python pipelines/cluster.py a.tif b.tif --out c.gpkg --on slurm --workers 8",
)
@click.argument("before")
@click.argument("after")
@click.option("--out", required=True, type=Path, metavar="FILE", help="polygons, as of run")
@click.option(
    "--on",
    "where",
    default="local",
    show_default=True,
    metavar="WHERE",
    help="local (processes), gpus (by dask-cuda), slurm (by dask-jobqueue), or a scheduler's address "
    "such as tls://host:8786; on tcp:// anybody can run code there",
)
@click.option("--workers", type=click.IntRange(1), help="GPUs, jobs or processes; else all here")
@click.option("--threads", type=click.IntRange(1), default=4, show_default=True, help="of each")
@click.option(
    "--slurm",
    "asked",
    multiple=True,
    metavar="NAME=VALUE",
    help="what a job asks for: queue=gpu, account=geo, memory=32GB, walltime=12:00:00, gres=gpu:1",
)
@click.option("--wait", default=10.0, show_default=True, help="minutes without workers, at most")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="of run: tile=512")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
def cluster(before: str, after: str, out: Path, where: str, quiet: bool, **given: Any) -> None:
    """Find what changed between BEFORE and AFTER with the workers of a cluster.

    After an interruption, the same command continues, on any cluster.
    """
    options, given["folder"] = pairs_of(given["settings"]), str(out.expanduser().absolute().parent)
    geochange.check_arguments(before, after, out, **options)  # workers may come up much later
    with workers_on(where, given) as workers, geochange.screen(quiet, log_json=False) as report:
        result = geochange.detect(before, after, out, report, **{**options, **workers})
    if not quiet:
        click.echo(f"polygons     {result.out}  {result.polygons:,}\nprobability  {result.raster}")
        click.echo(f"seconds      {result.seconds:.1f}, {result.megapixels_per_s:.2f} Mpx/s")


def pairs_of(texts: tuple[str, ...]) -> dict[str, str]:
    """A mapping from texts NAME=VALUE."""
    return dict(text.partition("=")[::2] for text in texts)


@contextmanager
def workers_on(where: str, given: Chosen) -> Iterator[Chosen]:
    """The options of a run for its workers. A cluster that is started here ends with the context."""
    makers = {"gpus": gpus, "slurm": slurm}
    if where == "local":
        workers = given["workers"] or max(1, (os.cpu_count() or 1) // given["threads"])
        yield {"workers": workers, "threads": given["threads"]}
    elif "://" in where:
        yield {"scheduler": where}
    elif where in makers:
        wait_s, own = given["wait"] * 60, "distributed.scheduler"
        with (
            TemporaryDirectory(prefix="geochange-") as private,  # Dask's default is shared
            config.set({"temporary-directory": private, f"{own}.worker-ttl": None}),
            config.set({f"{own}.no-workers-timeout": wait_s}),
            makers[where](given) as made,
            geochange.cluster_address(made, given["workers"], wait_s) as address,
        ):
            yield {"scheduler": address}
    else:
        known = f"local, {', '.join(makers)}, or an address such as tls://host:8786"
        raise click.BadParameter(f"{where}: say {known}", param_hint="--on")


def gpus(given: Chosen) -> Any:
    """One process per GPU of this machine, which is the first GPU that it sees."""
    some = {"CUDA_VISIBLE_DEVICES": list(range(given["workers"]))} if given["workers"] else {}
    own = {"memory_limit": 0, "host": "127.0.0.1", "security": True, **PAGE}
    return package("gpus").LocalCUDACluster(threads_per_worker=given["threads"], **own, **some)


def slurm(given: Chosen) -> Any:
    """One job per worker, each with its own GPU."""
    maker, own = package("slurm").SLURMCluster, config.get("jobqueue.slurm", {})
    # Jobs read the keys of the cluster from the shared disk. The keys are deleted with this process.
    keys = TemporaryDirectory(prefix=".geochange-keys-", dir=given["folder"])
    asked: Chosen = {**SLURM, "log_directory": own.get("log-directory") or keys.name}
    asked |= pairs_of(given["asked"])
    asked |= {"cores": given["threads"], "job_extra_directives": [f"--gres={asked.pop('gres')}"]}
    asked |= {"security": True, "shared_temp_directory": keys.name}
    limits = ["--memory-limit", "0", "--dashboard-address", "127.0.0.1:0"]  # SLURM limits memory
    asked |= {"worker_extra_args": [*(own.get("worker-extra-args") or []), *limits]}
    options = {**(own.get("scheduler-options") or {}), **PAGE}
    try:
        made = maker(processes=1, scheduler_options=options, **asked)
        made.keys, job = keys, {"input": made.job_script(), "capture_output": True, "text": True}
        tried = subprocess.run(["sbatch", "--test-only"], check=False, **job)
        if tried.returncode:
            made.close()
            raise ValueError(" ".join(tried.stderr.split()))
    except (OSError, TypeError, ValueError) as error:
        raise click.ClickException(f"--slurm: {error}") from error
    made.scale(jobs=given["workers"] or 1)
    return made


def package(where: str) -> Any:
    """The package that starts workers there. Raises an error if it is not installed."""
    module, name = PACKAGES[where]
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise click.ClickException(f"--on {where} needs {name}: pip install {name}") from error
    for log in ("distributed", "tornado.application"):  # of every connection and every attempt
        logging.getLogger(log).setLevel(logging.CRITICAL)
    return found


if __name__ == "__main__":
    geochange.run_command(cluster)
