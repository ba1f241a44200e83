"""The memory that a model needs for a batch of chips: measured, or known for the shipped network."""

from __future__ import annotations

import numpy as np

from geochange.chip import Chip
from geochange.memory import peak_rise_bytes
from geochange.models import cached_model, is_training_free, kind_of
from geochange.models.protocol import ClassifiesLand
from geochange.parallelism import cores_per_worker
from geochange.running.plan.run_spec import RunSpec

CLASS_BYTES = 100
"""The memory of a model without weights per pixel: a few bands in float32, a few times."""

CHIP_BYTES = 32
"""The memory of cva and irmad per pixel of a chip: pictures in float32 while they are smoothed."""

SHIPPED_BYTES, SHIPPED_PIXEL_BYTES = 130_000_000, 1400
"""The memory of the shipped network on one core, in all and per pixel of a tile.

To measure it takes more than a second of each run. A test measures it.
"""


def network_bytes(work: RunSpec, workers: int = 0) -> int:
    """The memory of the model for a batch in a process, besides its weights.

    For a network it is measured with a dark chip. A class may count its chips, and needs little memory.
    """
    if work.spec.device != "cpu":
        return 0
    if is_training_free(work.spec.name):
        return 0  # see `chip_bytes`
    if work.spec.without_torch:
        return shipped_bytes(work.plan.tile_px) * cores_per_worker(workers)
    from geochange.models.inference.batch_size import CPU_CHIPS
    from geochange.models.inference.predict import predict_land, run_model  # imports torch

    batch = work.batch or CPU_CHIPS
    if kind_of(work.spec.name) == "class":
        return batch * work.plan.tile_px**2 * CLASS_BYTES
    chip = _dark_chip(work, work.plan.tile_px)

    def look() -> None:
        model = cached_model(work.spec)
        run_model(model, [chip], 1, work.spec.device)
        if isinstance(model, ClassifiesLand) and model.land_classes:
            # In the dark nothing is likely to change, so that it has not looked.
            predict_land(model, [chip], work.spec.device)

    if kind_of(work.spec.name) == "onnx":
        # It takes chips one by one, and its arena keeps what the first one took.
        return peak_rise_bytes(look)
    look()  # excludes one-time allocations
    return peak_rise_bytes(look) * batch


def chip_bytes(work: RunSpec) -> int:
    """The memory that each thread needs besides its block: models without training work in it."""
    return work.plan.tile_px**2 * CHIP_BYTES if is_training_free(work.spec.name) else 0


def shipped_bytes(tile_px: int) -> int:
    """The memory of the shipped network on one core: change, land and places, one after the other."""
    return SHIPPED_BYTES + SHIPPED_PIXEL_BYTES * tile_px**2


def _dark_chip(work: RunSpec, side: int) -> Chip:
    dark = np.zeros((side, side, len(work.pair.before.bands)), np.uint8)
    return Chip(dark, dark, np.ones((side, side), np.bool_))
