"""Stacks: bands that lie in files of their own, as one raster: "B04.tif + B03.tif + B02.tif"."""

from __future__ import annotations

import os

from geochange.errors import InputError
from geochange.raster.sources.members import Opener, check_alike, earliest, read_parts
from geochange.raster.sources.virtual import Made, in_memory
from geochange.raster.sources.vrt import Band, Source, Virtual

PLUS = " + "

CURE = "stack bands of one grid and type"

MOST = 64
"""More files are no bands of one picture."""

LONGEST = 8
"""A path holds fewer signs than this."""


def is_stack(path: str) -> bool:
    """Whether a name stands for several files, one over the other."""
    if PLUS not in path or path.startswith("<") or os.path.exists(path):
        return False
    return len(names_in(path)) > 1


def files_of(path: str) -> list[str]:
    """The files of a stack, in order. Raises InputError."""
    files = names_in(path)
    if not all(files) or len(files) > MOST:
        raise InputError(f"{path[:80]}: name up to {MOST} files with {PLUS!r} between them")
    return files


def names_in(path: str) -> list[str]:
    """What stands between the signs; a sign in the name of a file or folder that is there is none."""
    words, names = path.split(PLUS), []
    while words:
        ends = range(min(len(words), LONGEST), 1, -1)
        taken = next((end for end in ends if _is_there(PLUS.join(words[:end]).strip())), 1)
        names.append(PLUS.join(words[:taken]).strip())
        words = words[taken:]
    return names


def _is_there(name: str) -> bool:
    """Whether a file has this name, or its folder has a sign in its own, whatever is in it."""
    path = os.path.expanduser(name)
    folder, file = os.path.split(path)
    return os.path.exists(path) or (PLUS not in file and PLUS in folder and os.path.isdir(folder))


def make_stack(path: str, opener: Opener) -> Made:
    """Lay the virtual raster of a stack out in memory; of each file, all its bands.

    Raises InputError for files that are no rasters or differ in more than their bands.
    """
    files = files_of(path)
    parts = read_parts(files, opener)
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
    virtual = Virtual(first.crs, first.transform, first.shape, bands, first.nodata, mask)
    memory = in_memory(virtual)
    return Made(memory.name, tuple(files), earliest(parts), (memory,))
