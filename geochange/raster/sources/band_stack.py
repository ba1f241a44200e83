"""Stacks: bands that lie in files of their own, as one raster: "B04.tif + B03.tif + B02.tif"."""

from __future__ import annotations

from pathlib import Path

from geochange.errors import InputError
from geochange.raster.sources.members import Opener, check_alike, earliest, read_members
from geochange.raster.sources.virtual import VirtualFile, in_memory
from geochange.raster.sources.vrt import Band, Source, VrtDataset

PLUS = " + "

CURE = "stack bands of one grid and type"

MOST = 64
"""More files are no bands of one picture."""


def is_stack(path: str) -> bool:
    """Whether a name stands for several files, one over the other."""
    return PLUS in path and not path.startswith("<") and not Path(path).exists()


def files_of(path: str) -> list[str]:
    """The files of a stack, in order. Raises InputError."""
    files = [part.strip() for part in path.split(PLUS)]
    if not all(files) or len(files) > MOST:
        raise InputError(f"{path[:80]}: name up to {MOST} files with {PLUS!r} between them")
    return files


def make_stack(path: str, opener: Opener) -> VirtualFile:
    """Lay the virtual raster of a stack out in memory; of each file, all its bands.

    Raises InputError for files that are no rasters or differ in more than their bands.
    """
    files = files_of(path)
    parts = read_members(files, opener)
    first = parts[0]
    check_alike(parts, CURE, bands=False)
    for part in parts[1:]:
        if part.shape != first.shape or not part.transform.almost_equals(first.transform, 1e-6):
            raise InputError(
                f"{part.path}: lies on another grid than {first.path}; {CURE} (gdalwarp -tr -te)"
            )
    bands = tuple(
        Band(dtype, ((Source(part.opens, part.shape, part.block_px), number),))
        for part in parts
        for number, dtype in enumerate(part.dtypes, start=1)
        if number != part.alpha
    )
    lead = Source(first.opens, first.shape, first.block_px)
    mask = (lead,) if first.masked or first.alpha is not None else None
    virtual = VrtDataset(first.crs, first.transform, first.shape, bands, first.nodata, mask)
    memory = in_memory(virtual)
    return VirtualFile(memory.name, tuple(files), earliest(parts), (memory,))
