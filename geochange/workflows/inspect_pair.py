"""The workflow of `geochange check`: opens a pair, samples it and inspects it."""

from __future__ import annotations

from typing import Any

from geochange.config import CheckOptions
from geochange.inputs.inspection import Inspection, inspect_scene
from geochange.inputs.open_pair import open_pair
from geochange.inputs.read_failure_messages import warn_unsampled
from geochange.raster.scene.sampling import SceneSample
from geochange.raster.sources.resolve import PathLike


def inspect_pair(before: PathLike, after: PathLike, **options: Any) -> Inspection:
    """Inspect a pair as `geochange check` does.

    options: the fields of CheckOptions. Unreadable pixels are logged as a warning and left out. Raises
    InputError or OptionError if the two rasters cannot be compared.
    """
    chosen = CheckOptions.parse(options)
    pair, area = open_pair(before, after, chosen)
    sample = SceneSample(pair, skip_unreadable=True, area=area).with_fills_masked()
    seen = inspect_scene(sample)
    warn_unsampled(pair, sample.unreadable)
    return seen
