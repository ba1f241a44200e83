"""Devices of a training: which, how many and in what precision, through Lightning Fabric."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from numpy.typing import NDArray

from geochange.errors import OptionError

__all__ = ["PRECISIONS", "Fabric", "FabricDevices", "is_first_process", "sum_over_processes"]

PRECISIONS: Mapping[str, Any] = {
    "float32": "32-true",
    "bfloat16": "bf16-mixed",
    "float16": "16-mixed",
}
"""Our names of precisions, and Fabric's."""

_FIXED = ("MASTER_ADDR",), ("NODE_RANK", "GROUP_RANK")
"""Variables that a user sets to start the processes of several machines by hand, one of each."""

_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
"""Variables by which a launcher numbers its processes; a process started by hand has none."""


@dataclass(frozen=True, slots=True)
class FabricDevices:
    """The devices of a training; DeviceOptions explains each field."""

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int | Literal["auto"] = "auto"
    nodes: int = 1
    precision: str = "float32"
    threads: int | None = None

    def fabric(self) -> Fabric:
        """Take the devices. On several, each further process runs the same program from here.

        Raises OptionError where the devices do not exist.
        """
        accelerator, count = self._accelerator_and_precision()
        # Fabric logs the number of processes and their ranks, which is not needed.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        several = count * self.nodes > 1
        with warnings.catch_warnings():
            if not several:  # one process needs no launcher, even where SLURM is installed
                warnings.filterwarnings("ignore", "The `srun` command is available")
            fabric = Fabric(
                accelerator=accelerator,
                devices=count,
                num_nodes=self.nodes,
                precision=PRECISIONS[self.precision],
                strategy=DDPStrategy() if several else "auto",
            )
        fabric.launch()
        return fabric

    def _accelerator_and_precision(self) -> tuple[str, int]:
        here = torch.cuda.device_count() if torch.cuda.is_available() else 0
        accelerator = self.accelerator
        if accelerator == "auto":
            accelerator = "cuda" if here else "cpu"
        if accelerator == "cuda" and not here:
            raise OptionError("device.accelerator cuda: no GPU is usable here; set cpu or auto")
        count = self.devices
        if count == "auto":
            count = here if accelerator == "cuda" else 1
        if accelerator == "cuda" and count > here:
            raise OptionError(
                f"device.devices {count}: this machine has {here} GPUs; give at most as many"
            )
        if accelerator == "cpu" and self.precision == "float16":
            raise OptionError("device.precision float16: needs a GPU; set bfloat16 or float32")
        if self.nodes > 1 and not _is_launched():
            raise OptionError(
                f"device.nodes {self.nodes}: the number of this machine is not known; start the "
                "command with torchrun or srun "
                "(docs/several-machines.md)"
            )
        return accelerator, count

    def world(self) -> int:
        """The number of processes. Raises OptionError as `fabric` does."""
        return self._accelerator_and_precision()[1] * self.nodes


def _is_launched() -> bool:
    """Whether a launcher of several machines started this process."""
    if TorchElasticEnvironment.detect() or SLURMEnvironment.detect():
        return True
    return all(any(name in os.environ for name in names) for names in _FIXED)


def is_first_process() -> bool:
    """Whether this process logs for all; callable before Fabric starts the others."""
    return all(int(os.environ.get(name, 0)) == 0 for name in _RANKS)


def sum_over_processes(fabric: Fabric, numbers: NDArray[Any]) -> NDArray[Any]:
    """The sum of an array over all processes; exact for integers."""
    if fabric.world_size == 1:
        return numbers
    tensor = torch.from_numpy(np.ascontiguousarray(numbers)).to(fabric.device)
    reduced = fabric.all_reduce(tensor, reduce_op="sum")
    return np.asarray(reduced.cpu().numpy()) if isinstance(reduced, torch.Tensor) else numbers
