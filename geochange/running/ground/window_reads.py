"""Reads the ground of a run: both dates of a window, as they are and as the network takes them."""

from __future__ import annotations

from collections.abc import Sequence

from geochange.chip import Chip, fill_invalid
from geochange.grid.tiling import Window
from geochange.inputs.read_failure_messages import describe_failures
from geochange.models import cached_chip_model
from geochange.models.inference.cpu_prediction import see_land
from geochange.raster.access.unreadable_areas import (
    UnreadableAreas,
    UnreadableError,
    summarise,
)
from geochange.raster.cell_grid import PixelsAndMask
from geochange.running.ground.land_cover_of_polygons import Numbers
from geochange.running.plan.run_spec import RunSpec


def read_both(
    work: RunSpec, window: Window
) -> tuple[PixelsAndMask, PixelsAndMask, UnreadableAreas]:
    """Both dates of a window as in their rasters, with one read per date, and the unreadable areas."""
    lost_before, lost_after = set[Window](), set[Window]()
    finely = work.skip_unreadable
    with work.pair.before.reader(lost_before, finely, work.run) as read:
        before = read(window)
    with work.pair.after.reader(lost_after, finely, work.run) as read:
        after = read(window)
    return before, after, UnreadableAreas.of(lost_before, lost_after)


def network_input(work: RunSpec, before: PixelsAndMask, after: PixelsAndMask) -> Chip:
    """Both dates as the network takes them."""
    shown = work.radiometry.apply(before[0], after[0])
    return fill_invalid(shown[0], before[1], shown[1], after[1])


def refuse_unreadable(work: RunSpec, unreadable: UnreadableAreas) -> None:
    """Raise UnreadableError for areas that are not to be skipped."""
    if unreadable and not work.skip_unreadable:
        raise UnreadableError(summarise(describe_failures(work.pair, unreadable)), unreadable)


def look_at_land(work: RunSpec, windows: Sequence[Window]) -> list[Numbers]:
    """(date, height, width) numbers of land classes in some windows. Raises UnreadableError."""
    chips = []
    for window in windows:
        before, after, lost = read_both(work, window)
        refuse_unreadable(work, lost)
        chips.append(network_input(work, before, after))
    return see_land(cached_chip_model(work.spec), chips)
