"""Faults: the ground of a run that cannot be read; kept by block, told at the end."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

from geochange.errors import RunError
from geochange.files.checksummed import read_checksummed, remove, write_checksummed
from geochange.grid.tiling import Index
from geochange.inputs.read_failures import describe_failures
from geochange.raster.access.remote import is_remote
from geochange.raster.access.retry import TRIES
from geochange.raster.access.unreadable import (
    NOTHING_UNREADABLE,
    Unreadable,
    UnreadableError,
    summarise,
)
from geochange.raster.pair import RasterPair

logger = logging.getLogger(__name__)

GIVE_UP = 8
"""After so many blocks in a row that a server does not give, the rest is not asked for."""


@dataclass(frozen=True)
class FailureRecords:
    """What blocks of tiles went without, a small file each in a folder of its own.

    Every block has its record, of nothing too: a record that is lost is noticed.
    """

    folder: Path

    def create(self) -> None:
        """Make the folder; records that are there stay."""
        if self.folder.exists() and not self.folder.is_dir():
            remove(self.folder)
        self.folder.mkdir(exist_ok=True)

    def put(self, block: Index, unreadable: Unreadable) -> None:
        """Keep what a block went without, whole or not at all."""
        self.folder.mkdir(exist_ok=True)
        write_checksummed(self._file(block), json.dumps(unreadable.to_json()).encode())

    def has(self, block: Index) -> bool:
        """Whether the record of a block is there and intact."""
        return read_checksummed(self._file(block)) is not None

    def any(self) -> bool:
        """Whether some block went without something."""
        return bool(self.get())

    def get(self) -> Unreadable:
        """All that all blocks went without."""
        found = NOTHING_UNREADABLE
        for file in sorted(self.folder.glob("*.json")):
            record = read_checksummed(file)
            if record is not None:
                found |= Unreadable.from_json(json.loads(record))
        return found

    def _file(self, block: Index) -> Path:
        return self.folder / f"{block[0]}_{block[1]}.json"


@dataclass
class ReadFailures:
    """What a run met so far: it goes on without the blocks that cannot be read."""

    pair: RasterPair
    found: Unreadable = NOTHING_UNREADABLE
    blocks: int = 0
    _in_a_row: int = field(default=0, repr=False)

    def tolerate(self, error: BaseException) -> bool:
        """Whether the run goes on without the job that failed so."""
        if not isinstance(error, UnreadableError):
            return False
        if not self.found:
            logger.warning("%s; continuing with the rest", error)
        self.found |= error.unreadable
        self.blocks += 1
        self._in_a_row += 1
        if self._in_a_row >= GIVE_UP and self._remote():
            raise RunError(
                f"{summarise(describe_failures(self.pair, error.unreadable))}; so were the {GIVE_UP - 1} "
                f"blocks before it, each tried {TRIES} times: is the server available?"
            )
        return True

    def _remote(self) -> bool:
        dates = ((self.pair.before, self.found.before), (self.pair.after, self.found.after))
        return any(lost and is_remote(date.info.path) for date, lost in dates)

    def note_success(self) -> None:
        """A block was read."""
        self._in_a_row = 0

    def raise_collected(self, unsampled: Unreadable) -> None:
        """Raise RunError if anything could not be read, with all places and the cure."""
        found = self.found | unsampled
        if found:
            raise RunError(
                f"{summarise(describe_failures(self.pair, found))}; tried {TRIES} times, "
                "all else is done and kept; fetch the file again, or add --skip-unreadable "
                "to take it for nodata"
            )
