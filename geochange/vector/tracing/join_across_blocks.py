"""Join regions that continue across block borders, as soon as all of their parts are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Index
from geochange.vector.tracing.polygons import CORNER, Places, Table, sum_corners
from geochange.vector.tracing.regions import NO_DATA_LABEL, BlockRegions, Regions

Border = NDArray[np.int64]
"""The part of each pixel along a border, counted over all blocks from 1; else 0 or NO_LAND_CLASS."""


@dataclass
class _RegionGroup:
    """Parts of one region, one or more in each block.

    open_sides: the number of borders, counted for each part, whose other block is still missing.
    """

    parts: list[int]
    open_sides: int = 0
    at_edge: bool = False


@dataclass
class RegionJoiner:
    """Joins the regions of blocks, added in any order, where they continue across a border.

    A border is compared, and freed, as soon as the blocks on both sides are there. A region is
    returned as soon as none of its borders is open. Memory holds what crosses the front between
    finished and missing blocks.
    """

    shape: tuple[int, int]
    _count: int = 0
    _borders: dict[tuple[str, Index], Border] = field(default_factory=dict)
    _parts: dict[int, tuple[Regions, int]] = field(default_factory=dict)
    _groups: dict[int, _RegionGroup] = field(default_factory=dict)
    _touching: list[Places] = field(default_factory=list)
    _rims: list[Table] = field(default_factory=list)

    def add(self, block: BlockRegions) -> Regions:
        """Add the regions of one block.

        Returns the regions, of this and of others, that are complete.
        """
        self._touching.append(block.touching)
        self._rims.append(block.rim)
        sides = self._sides(block)
        regions = self._meet_outside(block, [border for border, _, outer in sides if outer])
        inner = [(border, place) for border, place, outer in sides if not outer]
        crossing = self._open(regions, [border for border, _ in inner])
        self._count += len(regions)
        whole = [regions.take(np.flatnonzero(~crossing))]
        closed: dict[int, _RegionGroup] = {}
        for border, place in inner:
            closed |= self._meet(border, place)
        whole += self._close(closed.values())
        return _concatenate(whole)

    def finish(self) -> Places:
        """After all blocks: the corners, in order, where regions touch diagonally."""
        if self._groups or self._borders:
            raise ValueError("blocks are missing")
        rims = np.concatenate([np.empty(0, CORNER), *self._rims])
        _, summed = sum_corners(np.zeros(len(rims), np.int64), rims)
        across = summed["place"][np.abs(summed["weight"]) == 2]
        return np.unique(np.concatenate([across, *self._touching]))

    def _sides(self, block: BlockRegions) -> list[tuple[Border, tuple[str, Index], bool]]:
        """Each border with its parts, its name for both blocks, and whether the raster ends there."""
        window = block.window
        top, bottom, left, right = (self._numbered(border) for border in block.borders)
        start, (height, width) = (window.row, window.col), self.shape
        return [
            (top, ("row", start), window.row == 0),
            (bottom, ("row", (window.row_stop, window.col)), window.row_stop == height),
            (left, ("col", start), window.col == 0),
            (right, ("col", (window.row, window.col_stop)), window.col_stop == width),
        ]

    def _numbered(self, border: NDArray[np.int32]) -> Border:
        wide = border.astype(np.int64)
        return np.where(wide > 0, wide + self._count, wide)

    def _meet_outside(self, block: BlockRegions, borders: Sequence[Border]) -> Regions:
        rows = block.regions.rows.copy()
        for border in borders:
            rows["at_edge"][border[border > 0] - self._count - 1] = True
        return Regions(rows, block.regions.corners)

    def _open(self, regions: Regions, borders: Sequence[Border]) -> NDArray[np.bool_]:
        """Keep the parts that may continue across a border; returns which of the block's they are."""
        sides = np.zeros(len(regions), np.int64)
        for border in borders:
            sides[_parts_on_border(border) - self._count - 1] += 1
        kept = np.flatnonzero(sides)
        # A copy: otherwise the parts that stay would keep all parts of the block alive.
        crossing = regions.take(kept)
        for i, row in enumerate(kept.tolist()):
            number = self._count + 1 + row
            self._parts[number] = crossing, i
            self._groups[number] = _RegionGroup([number], int(sides[row]))
        return np.asarray(sides > 0)

    def _meet(self, border: Border, place: tuple[str, Index]) -> dict[int, _RegionGroup]:
        """Compare a border with its other side, if that is there; returns the groups it completes."""
        facing = self._borders.pop(place, None)
        if facing is None:
            self._borders[place] = border
            return {}
        both = (border > 0) & (facing > 0)
        for one, other in set(zip(border[both].tolist(), facing[both].tolist(), strict=True)):
            self._unite(self._groups[one], self._groups[other])
        touched = []
        for side, beyond in ((border, facing), (facing, border)):
            for number in _parts_on_border(side[beyond[: len(side)] == NO_DATA_LABEL]).tolist():
                self._groups[number].at_edge = True
            touched += _parts_on_border(side).tolist()
        for number in touched:
            self._groups[number].open_sides -= 1
        groups = (self._groups[number] for number in touched)
        return {group.parts[0]: group for group in groups if group.open_sides == 0}

    def _unite(self, one: _RegionGroup, other: _RegionGroup) -> None:
        if one is other:
            return
        large, small = (one, other) if len(one.parts) >= len(other.parts) else (other, one)
        large.parts += small.parts
        large.open_sides += small.open_sides
        large.at_edge |= small.at_edge
        self._groups.update(dict.fromkeys(small.parts, large))

    def _close(self, groups: Iterable[_RegionGroup]) -> list[Regions]:
        parts: list[Regions] = []
        owner: list[int] = []
        for i, group in enumerate(groups):
            for number in group.parts:
                del self._groups[number]
                regions, row = self._parts.pop(number)
                part = regions.take(np.array([row]))
                part.rows["at_edge"] |= group.at_edge
                parts.append(part)
                owner.append(i)
        return [_merge(_concatenate(parts), np.array(owner))] if parts else []


def _parts_on_border(border: Border) -> Border:
    return np.unique(border[border > 0])


def _concatenate(parts: Sequence[Regions]) -> Regions:
    # Empty tables, as of blocks without data, do not know how many land classes others count.
    parts = [part for part in parts if len(part)] or parts[:1]
    return Regions(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.corners for part in parts]),
    )


def _merge(parts: Regions, owner: NDArray[np.int64]) -> Regions:
    """One region for each owner, whose parts are consecutive."""
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    rows = np.zeros(len(starts), parts.rows.dtype)
    for name, joined in (
        ("first", np.minimum),
        ("pixels", np.add),
        ("total", np.add),
        ("peak", np.maximum),
        ("at_edge", np.logical_or),
        ("land", np.add),
    ):
        rows[name] = joined.reduceat(parts.rows[name], starts)
    owner, corners = sum_corners(np.repeat(owner, parts.rows["corners"]), parts.corners)
    rows["corners"] = np.bincount(owner, minlength=len(rows))
    return Regions(rows, corners)
