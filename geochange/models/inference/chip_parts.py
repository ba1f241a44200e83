"""Parts of a chip, each of which a land network looks at by itself, or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

CHIP_PART_PX = 256
"""About the side of the parts of a chip that are looked at or not."""

MARGIN_PX = 32
"""What is seen of a chip around a part of it."""

LARGEST_PART_PX = CHIP_PART_PX + CHIP_PART_PX // 2 + 2 * MARGIN_PX
"""No part of a chip that is seen has a longer side."""

STRIDE = 32
"""Edges of parts lie at multiples of this, as the networks' inputs do."""


@dataclass(frozen=True, slots=True)
class ChipPart:
    """Rows and columns of a chip. outer: what is seen. inner: what is said of it; within: there."""

    outer: tuple[slice, slice]
    inner: tuple[slice, slice]
    within: tuple[slice, slice]


def parts_of(height: int, width: int) -> Iterator[ChipPart]:
    """The parts of a chip, each of which is looked at by itself."""
    for row, col in product(_spans(height), _spans(width)):
        (top, bottom), (left, right) = row, col
        up, start = max(0, top - MARGIN_PX), max(0, left - MARGIN_PX)
        outer = (
            slice(up, min(height, bottom + MARGIN_PX)),
            slice(start, min(width, right + MARGIN_PX)),
        )
        within = slice(top - up, bottom - up), slice(left - start, right - start)
        yield ChipPart(outer, (slice(top, bottom), slice(left, right)), within)


def _spans(side: int) -> list[tuple[int, int]]:
    count = max(1, round(side / CHIP_PART_PX))
    edges = [round(side * i / count / STRIDE) * STRIDE for i in range(count)] + [side]
    return list(pairwise(edges))
