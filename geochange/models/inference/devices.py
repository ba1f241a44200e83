"""Devices: parse their names, find them, and agree on one precision for all workers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch

from geochange.errors import OptionError
from geochange.models.inference.precision import common_precision

logger = logging.getLogger(__name__)


def choose_device(wanted: str) -> str:
    """The device for "auto" (the first GPU, else the CPU) or the one named, if it is here.

    Raises OptionError.
    """
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise OptionError(
            f"--device {wanted}: not usable here ({reason}); choose cpu or auto"
        ) from error
    return "cuda:0" if str(device) == "cuda" else str(device)


def choose_devices(wanted: str) -> tuple[str, ...]:
    """The devices of a list such as "cuda:0,cuda:1", or of one as above, if all are here.

    Raises OptionError.
    """
    return tuple(choose_device(part) for part in wanted.split(","))


@lru_cache(maxsize=8)
def devices_of(wanted: str) -> tuple[str, ...]:
    """`choose_devices`, cached for the process."""
    return choose_devices(wanted)


@dataclass(frozen=True)
class DeviceSummary:
    """The devices of a worker, and the precision that it would choose."""

    devices: tuple[str, ...]
    precision: str


def find_devices(wanted: str, precision: str) -> DeviceSummary:
    """Find the devices and the precision of this machine. Raises OptionError."""
    devices = choose_devices(wanted)
    return DeviceSummary(devices, common_precision(precision, devices))


def agree_on_precision(workers: Mapping[str, DeviceSummary | Exception]) -> str:
    """One precision for all workers, from what `find_devices` gave on each, by address.

    It is float32 where they differ. Raises OptionError for a worker that has no such device.
    """
    for address, found in workers.items():
        if isinstance(found, Exception):
            raise OptionError(f"worker {address}: {found}") from found
    seen = [found for found in workers.values() if isinstance(found, DeviceSummary)]
    precisions = {found.precision for found in seen}
    if len(precisions) > 1:
        logger.warning(
            "workers differ: some would compute in bfloat16, so all take float32; "
            "--precision bfloat16 insists"
        )
    if len({device.partition(":")[0] for found in seen for device in found.devices}) > 1:
        logger.warning(
            "some workers have a GPU and some none: the last bits of their probabilities differ"
        )
    return precisions.pop() if len(precisions) == 1 else "float32"


def describe_devices() -> str:
    """The devices of this machine, after each has computed something. Raises RuntimeError."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for device in [*(f"cuda:{number}" for number in range(count)), "cpu"]:
        ones = torch.ones(8, 8, device=device)
        if float((ones @ ones).sum()) != 512:
            raise RuntimeError(f"{device} computes wrongly")
    named = [f"cuda:{n} {torch.cuda.get_device_name(n)}" for n in range(count)]
    return ", ".join([*named, f"cpu ({torch.get_num_threads()} threads)"])
