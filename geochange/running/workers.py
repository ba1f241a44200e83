"""Workers: the model that each builds, and the number of threads that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from geochange.cluster.jobs import JobClient, open_client, threads_of
from geochange.config import RunOptions
from geochange.memory import machine_bytes, resident_bytes
from geochange.models import ModelSpec, is_training_free, kind_of
from geochange.parallelism import cores_per_worker
from geochange.running.plan.memory_budget import (
    MemoryBudget,
    block_bytes,
    cache_bytes,
    fit_threads,
    reading_bytes,
)
from geochange.running.plan.network_memory import chip_bytes, network_bytes
from geochange.running.plan.run_spec import RunSpec

if TYPE_CHECKING:
    from geochange.cluster.dask_jobs import Client


@dataclass(frozen=True)
class WorkerPool:
    """What runs the tasks, the memory budget, and the run with settings that all workers support."""

    client: JobClient
    budget: MemoryBudget
    work: RunSpec


@contextmanager
def open_workers(options: RunOptions, work: RunSpec) -> Iterator[WorkerPool]:
    """The workers of a run, with as many threads as fit into memory.

    The memory of workers of an external scheduler is not checked. Raises OptionError.
    """
    budget = MemoryBudget(
        process=resident_bytes() + cache_bytes(work.pair),
        network=network_bytes(work, options.workers),
        block=block_bytes(work.pair, work.plan, work.radiometry)
        + reading_bytes(work.pair)
        + chip_bytes(work),
        processes=options.workers,
        threads=options.threads or threads_of(options.workers),
    )
    if options.scheduler is None:
        budget = fit_threads(budget, options.max_memory, machine_bytes())
    cores = _cores_of_a_worker(work.spec, options.workers)
    with open_client(options.scheduler, options.workers, budget.threads, cores) as client:
        if options.scheduler is not None:
            work = replace(work, spec=spec_for_workers(client, work.spec, options))
        yield WorkerPool(client, budget, work)


def _cores_of_a_worker(spec: ModelSpec, workers: int) -> int:
    """The number of threads that compute in a worker. With torch, bits depend on it: all have as many."""
    if is_training_free(spec.name):
        return 1
    if spec.without_torch:
        return cores_per_worker(workers)
    from geochange.models.inference.predict import torch_threads  # imports torch

    return torch_threads()


def spec_for_workers(client: Client, spec: ModelSpec, options: RunOptions) -> ModelSpec:
    """A spec for workers on other machines, each of which chooses its own devices.

    All use one precision, which depends on the devices of all workers. Raises OptionError for a worker
    without the requested devices.
    """
    if is_training_free(spec.name) or spec.without_torch:
        return spec
    if kind_of(spec.name) == "onnx" and (options.device == "auto" or spec.network["provider"]):
        return spec
    from geochange.models.inference.devices import agree_on_precision, find_devices  # imports torch

    found = client.run(find_devices, options.device, options.precision, on_error="return")
    precision = agree_on_precision(found)
    if kind_of(spec.name) in ("class", "onnx"):
        return replace(spec, device=options.device)
    prompting = replace(spec.prompting, precision=precision)
    return replace(spec, device=options.device, prompting=prompting)
