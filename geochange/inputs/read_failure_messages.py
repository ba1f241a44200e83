"""Describes read failures of a pair: the areas of each date that could not be read."""

from __future__ import annotations

import logging

from geochange.raster.access.unreadable_areas import UnreadableAreas, describe_windows, summarise
from geochange.raster.pair import RasterPair

logger = logging.getLogger(__name__)


def describe_failures(pair: RasterPair, unreadable: UnreadableAreas) -> list[str]:
    """A short text for each area."""
    whole = unreadable.merged()
    return [
        place
        for date, windows in ((pair.before, whole.before), (pair.after, whole.after))
        for place in describe_windows(date.info, pair.grid, windows)
    ]


def warn_unsampled(pair: RasterPair, unsampled: UnreadableAreas) -> None:
    """Warn of pixels that are missing in the stretch and in the model's statistics."""
    if unsampled:
        logger.warning(
            "%s; left out of the sample from which the stretch and the warnings come",
            summarise(describe_failures(pair, unsampled)),
        )


def warn_skipped(pair: RasterPair, unreadable: UnreadableAreas) -> None:
    """Warn of areas that are nodata in the output because they could not be read."""
    if unreadable:
        logger.warning("%s; nodata in the output", summarise(describe_failures(pair, unreadable)))
