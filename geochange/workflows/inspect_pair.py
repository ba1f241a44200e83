"""The story of `geochange check`: a pair is opened, sampled and inspected."""

from __future__ import annotations

from typing import Any

from geochange.config import CheckOptions
from geochange.inputs.inspection import Inspection, inspect_scene
from geochange.inputs.open_pair import open_pair
from geochange.inputs.read_failures import warn_unsampled
from geochange.raster.scene.sampling import SceneSample
from geochange.raster.sources.resolve import PathLike


def inspect_pair(before: PathLike, after: PathLike, **options: Any) -> Inspection:
    """Look at a pair as `geochange check` does.

    options: the fields of CheckOptions. What cannot be read is warned of, and left out. Raises
    InputError or OptionError where the two cannot be compared at all.
    """
    chosen = CheckOptions.parse(options)
    pair, area = open_pair(before, after, chosen)
    sample = SceneSample(pair, spare=True, area=area).heeding_fills()
    seen = inspect_scene(sample)
    warn_unsampled(pair, sample.unreadable)
    return seen
