"""The size of the pictures of a whole scene in a report, and whether a run keeps them itself."""

from __future__ import annotations

from geochange.inputs.prepared_run import CheckedRun
from geochange.raster.pictures.overview import is_slow

SCENE_PX = 1200
"""The longer side of the pictures of the scene."""


def picture_px(checked: CheckedRun) -> int | None:
    """The longer side of the pictures that a run keeps for its page.

    None where it is quick to read the rasters again, or where there is no page.
    """
    if checked.report_files is None or not checked.report_files.is_page:
        return None
    dates, whole = (checked.pair.before, checked.pair.after), checked.pair.grid.full_window
    return SCENE_PX if any(is_slow(date, whole, SCENE_PX) for date in dates) else None
