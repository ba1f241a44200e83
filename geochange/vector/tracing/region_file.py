"""Region file: the outlines of regions on disk, their statistics in memory; read back in batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from geochange.errors import OutputError
from geochange.vector.tracing.polygons import CORNER, Places, Table, row_col
from geochange.vector.tracing.regions import REGION, Regions

BATCH_REGIONS = 8192
BATCH_CORNERS = 250_000
"""The most corners processed at once; a region with more is processed alone."""


@contextmanager
def _as_disk_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"outlines cannot be kept ({error}): free some disk space") from error


@dataclass
class RegionFileWriter:
    """Writes regions to a file as they become whole, 9 bytes a corner, and keeps 78 bytes of each.

    The file is needed only as long as the process lives.
    """

    file: BinaryIO
    _rows: bytearray = field(default_factory=bytearray)
    _type: np.dtype[np.void] = REGION

    def put(self, regions: Regions) -> None:
        """Append regions. Raises OutputError where the disk is full."""
        with _as_disk_error():
            self.file.write(regions.corners.tobytes())
        self._rows += regions.rows.tobytes()
        if len(regions):
            self._type = regions.rows.dtype

    def finish(self, touching: Places) -> RegionFile:
        """All regions, sorted by their first pixels. touching: the result of RegionJoiner.finish.

        Raises OutputError where the disk is full.
        """
        with _as_disk_error():
            self.file.flush()
        rows = np.frombuffer(self._rows, self._type)
        starts = np.cumsum(rows["corners"], dtype=np.int64) - rows["corners"]
        order = np.argsort(rows["first"])
        for name in rows.dtype.names or ():  # in place: memory must not hold them twice
            rows[name] = rows[name][order]
        return RegionFile(rows, starts[order], touching, self.file)


@dataclass(frozen=True)
class RegionFile:
    """Regions by number, sorted by their first pixels.

    rows: of a `region_type`, one a region. starts: the offset of its corners in the file, in
    corners. touching: corners, in order, where regions touch diagonally.
    """

    rows: Table
    starts: NDArray[np.int64]
    touching: Places
    file: BinaryIO

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, chosen: NDArray[np.intp] | None = None) -> Iterator[NDArray[np.intp]]:
        """All regions, or the chosen ones, in batches that fit into memory."""
        left = np.arange(len(self)) if chosen is None else chosen
        while len(left):
            reach = np.cumsum(self.rows["corners"][left[:BATCH_REGIONS]], dtype=np.int64)
            count = max(1, int(np.searchsorted(reach, BATCH_CORNERS, side="right")))
            yield left[:count]
            left = left[count:]

    def read(self, chosen: NDArray[np.intp]) -> Regions:
        """The regions `chosen`, in that order."""
        order = np.argsort(self.starts[chosen])
        starts, counts = self.starts[chosen][order], self.rows["corners"][chosen][order]
        # Neighbours in the file are read together.
        runs = np.flatnonzero(
            np.append(True, starts[1:] != starts[:-1] + counts[:-1])[: len(starts)]
        )
        lengths = np.add.reduceat(counts, runs) if len(runs) else counts
        read = [np.empty(0, CORNER)]
        for start, length in zip(starts[runs].tolist(), lengths.tolist(), strict=True):
            self.file.seek(start * CORNER.itemsize)
            read.append(np.frombuffer(self.file.read(length * CORNER.itemsize), CORNER))
        return Regions(self.rows[chosen][order], np.concatenate(read)).take(np.argsort(order))

    def boxes(self) -> NDArray[np.int32]:
        """(region, 4) int32: the first row and column of each region, and those after its last."""
        boxes = np.empty((len(self), 4), np.int32)
        for chosen in self.batches():
            regions = self.read(chosen)
            counts = regions.rows["corners"]
            starts = np.cumsum(counts) - counts
            row, col = row_col(regions.corners["place"])
            boxes[chosen, 0] = np.minimum.reduceat(row, starts)
            boxes[chosen, 1] = np.minimum.reduceat(col, starts)
            boxes[chosen, 2] = np.maximum.reduceat(row, starts)
            boxes[chosen, 3] = np.maximum.reduceat(col, starts)
        return boxes
