"""The fleet: what the workers of a scheduler have, and the numbers in which all of them compute."""

from __future__ import annotations

from dataclasses import replace

from geochange.config import RunOptions
from geochange.models import ModelSpec, kind_of
from geochange.models.devices import agree, find
from geochange.mosaic.schedule import Client


def settle_workers(client: Client, spec: ModelSpec, options: RunOptions) -> ModelSpec:
    """A spec that every worker takes to its own devices, whatever this machine has.

    Precision is settled for all of them, by what each one finds. Raises OptionError of a worker
    without the devices that were asked for.
    """
    found = client.run(find, options.device, options.precision, on_error="return")
    precision = agree(found)
    if kind_of(spec.name) == "class":
        return replace(spec, device=options.device)
    prompting = replace(spec.prompting, precision=precision)
    return replace(spec, device=options.device, prompting=prompting)
