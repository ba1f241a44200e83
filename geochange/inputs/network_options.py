"""The options of a run that a network asks for. It does not import torch, like all checks."""

from __future__ import annotations

from typing import Any

from geochange.config import RunOptions
from geochange.errors import OptionError
from geochange.models import described, kind_of, taught_bands

GROUND_PX = 2048
"""About the side of a block, in pixels, of which --block counts the tiles."""


def fitting_options(options: RunOptions) -> RunOptions:
    """The options of a run, with what a network asks for where the user says nothing.

    Of an ONNX file these are the tile, with overlap and block to it, and pixels as they are in the
    raster; of weights the pixels that its card names. Raises OptionError for another stretch of such
    pixels, and the errors of `described`.
    """
    if kind_of(options.model) != "onnx":
        return _with_stretch_of_card(options)
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


def _with_stretch_of_card(options: RunOptions) -> RunOptions:
    bands = taught_bands(options.model)
    if bands is None:
        return options
    wanted = "db" if bands.unit == "db" else "none"
    if options.stretch == "auto":
        return options.parse({**options.model_dump(exclude_unset=True), "stretch": wanted})
    if options.stretch.partition(":")[0] != wanted:
        raise OptionError(
            f"--stretch {options.stretch}: {options.model} has the statistics of its bands in its card; "
            "leave --stretch out"
        )
    return options


def _block(tile_px: int) -> int:
    return max(1, min(8, GROUND_PX // tile_px))
