"""Tile sets: many files side by side as one raster, by a pattern (before/*.tif) or a tile index.

They become virtual rasters in memory with two levels. The upper one consists of groups, and each
group is a virtual raster of some tiles that is opened on first use. So opening costs the square root
of the number of tiles. Unreadable tiles are errors, while GDAL's tile index driver skips them.
"""

from __future__ import annotations

import glob
import math
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import shapely
from affine import Affine

from geochange.errors import InputError
from geochange.raster.band_metadata import BandInfo
from geochange.raster.sources.band_stack import split_stack
from geochange.raster.sources.masks import Mask, MaskPart, mask_cover, whole_cover
from geochange.raster.sources.member_files import (
    Member,
    Opener,
    check_same_bands,
    check_same_crs,
    earliest_date,
    read_members,
)
from geochange.raster.sources.same_ground import refuse_same_ground
from geochange.raster.sources.source import Source
from geochange.raster.sources.tile_index import indexed_files, is_index
from geochange.raster.sources.virtual_file import VirtualFile, in_memory
from geochange.raster.sources.vrt import Band, VrtDataset, sources_of

MAX_OFFSET_PX = 0.05
"""The largest offset between the pixels of tiles."""

BLOCK_PX = (128, 128)
"""The block size of GDAL's virtual rasters."""

Corner = tuple[int, int]

LARGEST_PX = 2**31 - 1
"""The largest pixel count per side in GDAL."""

CURE = "make them alike first (gdalwarp -t_srs -tr -tap), or name fewer files"


def is_tileset(path: str) -> bool:
    """Whether a name stands for many files: a pattern with *, ? or [, or a tile index."""
    if is_index(path):
        return not (path.upper().startswith("GTI:") and os.path.exists(path))
    plain = "://" not in path and not path.startswith(("/vsi", "<"))
    return plain and not os.path.exists(path) and glob.has_magic(_folder_and_pattern(path)[1])


def tiles_of(path: str) -> list[str]:
    """The files of a tile set, in order. Later files cover earlier ones. Raises InputError."""
    if is_index(path):
        found = indexed_files(path[4:] if path.upper().startswith("GTI:") else path)
        # One that lists itself would be opened without end.
        if odd := [name for name in found if any(map(is_tileset, split_stack(name)))]:
            raise InputError(
                f"{path}: lists {odd[0][:200]!r}, which is no tile; list rasters alone"
            )
        return found
    folder, name = _folder_and_pattern(path)
    pattern = os.path.join(glob.escape(folder), name)
    found = sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))
    if not found:
        raise InputError(f"{path}: no file has such a name; check the folder and the pattern")
    return found


def _folder_and_pattern(path: str) -> tuple[str, str]:
    """An existing folder, also with special characters in its name, and the pattern below it."""
    folder, name = os.path.split(path)
    while glob.has_magic(folder) and not os.path.isdir(folder):
        folder, part = os.path.split(folder)
        name = os.path.join(part, name)
    return folder, name


def make_tileset(path: str, opener: Opener) -> VirtualFile:
    """Create the virtual raster of a tile set in memory.

    Raises InputError for tiles that are not rasters, that differ in CRS, dtype, bands, nodata or pixels,
    or that cover the same ground.
    """
    tiles = tiles_of(path)
    parts = read_members(tiles, opener)
    check_same_crs(parts, CURE)
    if not is_index(path):  # an index has an order that somebody chose
        refuse_same_ground(path, parts)
    check_same_bands(parts, CURE)
    sources, origin = _place_tiles(parts)
    frame = _TileSetFrame(parts[0], origin, _masked_bands(parts, sources), _share_masks(parts))
    tile_of = {part.opens: part for part in parts}

    def cover_of_tile(source: Source, number: int) -> MaskPart:
        return _cover(source, number, tile_of[source.path].bands[number - 1])

    memory = []
    groups = []
    for members in _group_neighbours(sources):
        at, shape = _extent(members)
        memory.append(in_memory(frame.virtual(at, shape, members, cover_of_tile)))
        groups.append(Source(memory[-1].name, shape, BLOCK_PX, at))
    memory.append(in_memory(frame.virtual((0, 0), _extent(sources)[1], groups, mask_cover)))
    most = max(part.reading_bytes for part in parts)
    return VirtualFile(memory[-1].name, tuple(tiles), earliest_date(parts), tuple(memory), most)


CoverOf = Callable[[Source, int], MaskPart]
"""Where a band of a source (by its 1-based number) holds data."""


@dataclass(frozen=True)
class _TileSetFrame:
    """The properties that all virtual rasters of a tile set share.

    masked: the 1-based numbers of the bands that need a mask. shared: whether one mask is enough.
    """

    like: Member
    origin: Affine
    masked: tuple[int, ...]
    shared: bool

    def virtual(
        self, at: Corner, shape: Corner, sources: Sequence[Source], cover_of: CoverOf
    ) -> VrtDataset:
        """The virtual raster of some sources, whose first pixel is `at` (row, col) of the whole."""
        row, col = at
        here = [replace(s, at=(s.at[0] - row, s.at[1] - col)) for s in sources]
        masks = {
            number: Mask("topmost", tuple(cover_of(source, number) for source in here))
            for number in self.masked
        }
        shared = masks[self.masked[0]] if masks and self.shared else None
        bands = tuple(
            Band(
                dtype=str(band.dtype),
                sources=sources_of(number, str(band.dtype), here),
                nodata=band.nodata,
                role=band.role,
                mask=masks.get(number),
            )
            for number, band in enumerate(self.like.bands, start=1)
        )
        corner = self.origin @ Affine.translation(col, row)
        return VrtDataset(self.like.crs, corner, shape, bands, shared, self.like.origin)


def _cover(source: Source, number: int, band: BandInfo) -> MaskPart:
    """Where a band of a tile holds data, as far as a mask is needed for it."""
    if band.nodata is None or band.mask is not None:
        return mask_cover(source, number)
    # GDAL's own mask would also be 0 at nodata, but nodata follows other rules than a mask.
    return whole_cover(source, number, str(band.dtype))


def _place_tiles(parts: Sequence[Member]) -> tuple[list[Source], Affine]:
    """All tiles with their positions in the whole raster, and its transform. Raises InputError."""
    places = [_place(parts[0], part) for part in parts]
    top, left = min(row for row, _ in places), min(col for _, col in places)
    sources = [
        Source(part.opens, part.shape, part.block_px, (row - top, col - left))
        for part, (row, col) in zip(parts, places, strict=True)
    ]
    if max(_extent(sources)[1]) > LARGEST_PX:
        raise InputError(f"{parts[0].path} and others lie too far apart for one raster; name fewer")
    return sources, parts[0].transform @ Affine.translation(left, top)


def _place(first: Member, part: Member) -> Corner:
    """(row, col) of a tile in pixels of the first tile. Raises InputError."""
    between = ~first.transform @ part.transform
    a, b, col, d, e, row = between[:6]
    if max(abs(a - 1), abs(b), abs(d), abs(e - 1)) * max(part.shape) > MAX_OFFSET_PX:
        raise InputError(
            f"{part.path}: its pixels have another size or rotation than those of "
            f"{first.path}; {CURE}"
        )
    if max(abs(col - round(col)), abs(row - round(row))) > MAX_OFFSET_PX:
        raise InputError(
            f"{part.path}: lies {col % 1:.2f} px right and {row % 1:.2f} px down of the pixels of "
            f"{first.path}; {CURE}"
        )
    return round(row), round(col)


def _masked_bands(parts: Sequence[Member], sources: Sequence[Source]) -> tuple[int, ...]:
    """The bands that need a mask, because pixels have no tile, or no data in a tile."""
    gaps_show = parts[0].alpha is not None or not _has_gaps(sources)
    return tuple(
        number
        for number, band in enumerate(parts[0].bands, start=1)
        if band.role != "alpha"
        and (
            any(part.bands[number - 1].mask is not None for part in parts)
            or (band.nodata is None and not gaps_show)
        )
    )


def _share_masks(parts: Sequence[Member]) -> bool:
    """Whether all bands have the same mask: no tile has a mask for only some of its bands."""
    return all(
        len({(band.mask, band.nodata is None) for band in part.bands if band.role != "alpha"}) == 1
        for part in parts
    )


def _has_gaps(sources: Sequence[Source]) -> bool:
    """Whether some pixels have no tile."""
    height, width = _extent(sources)[1]
    boxes = [shapely.box(c, r, c + s.shape[1], r + s.shape[0]) for s in sources for r, c in [s.at]]
    return bool(shapely.union_all(boxes).area < height * width)


def _extent(sources: Sequence[Source]) -> tuple[Corner, Corner]:
    """(row, col) of the first pixel of all sources, and their (height, width)."""
    row, col = min(s.at[0] for s in sources), min(s.at[1] for s in sources)
    row_stop = max(s.at[0] + s.shape[0] for s in sources)
    col_stop = max(s.at[1] + s.shape[1] for s in sources)
    return (row, col), (row_stop - row, col_stop - col)


def _group_neighbours(sources: Sequence[Source]) -> list[list[Source]]:
    """Groups of neighbouring sources, each with about the square root of their number."""
    height, width = _extent(sources)[1]
    side = max(1, math.isqrt(height * width // math.ceil(math.sqrt(len(sources)))))
    groups: dict[Corner, list[Source]] = defaultdict(list)
    for source in sources:
        groups[source.at[0] // side, source.at[1] // side].append(source)
    return [groups[cell] for cell in sorted(groups)]
