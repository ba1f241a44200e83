"""The options of a run that an ONNX file asks for. It does not import torch, like all checks."""

from __future__ import annotations

from typing import Any

from geochange.config import RunOptions
from geochange.errors import OptionError
from geochange.models import described, kind_of

GROUND_PX = 2048
"""About the side of a block, in pixels, of which --block counts the tiles."""


def fitting_options(options: RunOptions) -> RunOptions:
    """The options of a run, with what an ONNX file asks for where the user says nothing.

    These are the tile, with overlap and block to it, and pixels as they are in the raster. Raises
    OptionError for a stretch of such pixels, and the errors of `described`.
    """
    if kind_of(options.model) != "onnx":
        return options
    known = described(options.model)
    asked: dict[str, Any] = {}
    if known.tile_px is not None:
        tile = known.tile_px
        asked = {"tile": tile, "overlap": min(64, tile // 4), "block": _block(tile)}
    if known.options.pixels == "raw":
        if options.stretch not in ("auto", "none"):
            raise OptionError(
                f"--stretch {options.stretch}: {options.model} takes pixels as they are in the raster "
                "(pixels: raw); leave --stretch out"
            )
        asked["stretch"] = "none"
    left = {name: value for name, value in asked.items() if name not in options.model_fields_set}
    return options.parse({**options.model_dump(include=options.model_fields_set), **left})


def _block(tile_px: int) -> int:
    return max(1, min(8, GROUND_PX // tile_px))
