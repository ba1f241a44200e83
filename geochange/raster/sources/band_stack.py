"""Band stacks: bands in separate files as one raster: "B04.tif + B03.tif + B02.tif"."""

from __future__ import annotations

import os
from collections.abc import Iterator

from geochange.errors import InputError
from geochange.raster.sources.masks import Mask, MaskPart, alpha_cover, mask_cover
from geochange.raster.sources.member_files import (
    Member,
    Opener,
    check_same_crs,
    earliest_date,
    read_members,
)
from geochange.raster.sources.source import Source
from geochange.raster.sources.virtual_file import VirtualFile, in_memory
from geochange.raster.sources.vrt import Band, VrtDataset

STACK_SEPARATOR = " + "

CURE = "stack bands of one grid"

MAX_FILES = 64
"""The largest number of files of a stack."""

MAX_SEPARATORS = 8
"""A limit for separators inside a file or folder name."""


def is_stack(path: str) -> bool:
    """Whether a name stands for several files that are stacked."""
    if STACK_SEPARATOR not in path or path.startswith("<") or os.path.exists(path):
        return False
    return len(split_stack(path)) > 1


def stack_files(path: str) -> list[str]:
    """The files of a stack, in order. Raises InputError."""
    files = split_stack(path)
    if not all(files) or len(files) > MAX_FILES:
        raise InputError(
            f"{path[:80]}: name up to {MAX_FILES} files with {STACK_SEPARATOR!r} between them"
        )
    return files


def split_stack(path: str) -> list[str]:
    """The names between separators. A separator in the name of an existing file or folder is kept."""
    words, names = path.split(STACK_SEPARATOR), []
    while words:
        ends = range(min(len(words), MAX_SEPARATORS), 1, -1)
        taken = next(
            (end for end in ends if _is_there(STACK_SEPARATOR.join(words[:end]).strip())), 1
        )
        names.append(STACK_SEPARATOR.join(words[:taken]).strip())
        words = words[taken:]
    return names


def _is_there(name: str) -> bool:
    """Whether a file of this name exists, or a folder whose name contains a separator."""
    path = os.path.expanduser(name)
    folder, file = os.path.split(path)
    return os.path.exists(path) or (
        STACK_SEPARATOR not in file and STACK_SEPARATOR in folder and os.path.isdir(folder)
    )


def make_stack(path: str, opener: Opener) -> VirtualFile:
    """Create the virtual raster of a stack in memory, with all bands of each file.

    Every band keeps its dtype, its nodata value and the mask or alpha of its file.
    Raises InputError for files that are not rasters or have different grids.
    """
    files = stack_files(path)
    parts = read_members(files, opener)
    first = parts[0]
    check_same_crs(parts, CURE)
    for part in parts[1:]:
        if part.shape != first.shape or not part.transform.almost_equals(first.transform, 1e-6):
            raise InputError(
                f"{part.path}: has another grid than {first.path}; {CURE} (gdalwarp -tr -te)"
            )
    bands = tuple(band for part in parts for band in _bands_of(part))
    memory = in_memory(
        VrtDataset(first.crs, first.transform, first.shape, bands, origin=first.origin)
    )
    most = max(part.reading_bytes for part in parts)
    return VirtualFile(memory.name, tuple(files), earliest_date(parts), (memory,), most)


def _bands_of(part: Member) -> Iterator[Band]:
    source = Source(part.opens, part.shape, part.block_px)
    for number, band in enumerate(part.bands, start=1):
        if band.role == "alpha":
            continue
        covers: list[MaskPart] = []
        if band.mask is not None:
            covers.append(mask_cover(source, band.mask))
        if part.alpha is not None:
            covers.append(alpha_cover(source, part.alpha, str(part.bands[part.alpha - 1].dtype)))
        dtype = str(band.dtype)
        mask = Mask("all", tuple(covers)) if covers else None
        yield Band(dtype, ((source, number, dtype),), band.nodata, band.role, mask)
