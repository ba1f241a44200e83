"""Read failures: records unreadable areas by block, and reports them at the end of a run."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from geochange.errors import RunError
from geochange.grid.tiling import Index
from geochange.inputs.read_failure_messages import describe_failures
from geochange.mosaic.stores import READERS
from geochange.raster.access.remote import is_remote
from geochange.raster.access.retry import TRIES
from geochange.raster.access.unreadable_areas import (
    NOTHING_UNREADABLE,
    UnreadableAreas,
    UnreadableError,
    summarise,
)
from geochange.raster.pair import RasterPair
from geochange.storage.work_store import WorkStore, read_checksummed, write_checksummed

logger = logging.getLogger(__name__)

GIVE_UP = 8
"""After this many failed blocks in a row, the run stops reading from a server."""


RECORDS = "unreadable"
"""The first part of the keys of records."""


@dataclass(frozen=True)
class FailureRecords:
    """The unreadable areas of blocks of tiles, each in a small record.

    Every block has a record, also without failures, so that a lost record is noticed.
    """

    work: WorkStore

    def put(self, block: Index, unreadable: UnreadableAreas) -> None:
        """Store the record of a block."""
        data = json.dumps(unreadable.to_json()).encode()
        write_checksummed(self.work, _record_key(block), data)

    def has(self, block: Index) -> bool:
        """Whether the record of a block exists and is intact."""
        return read_checksummed(self.work, _record_key(block)) is not None

    def any(self) -> bool:
        """Whether some block has unreadable areas."""
        return bool(self.get())

    def get(self) -> UnreadableAreas:
        """The unreadable areas of all blocks."""
        found = NOTHING_UNREADABLE
        keys = sorted(self.work.keys(RECORDS))
        with ThreadPoolExecutor(READERS) as pool:
            for record in pool.map(partial(read_checksummed, self.work), keys):
                if record is not None:
                    found |= UnreadableAreas.from_json(json.loads(record))
        return found


def _record_key(block: Index) -> str:
    return f"{RECORDS}/{block[0]}_{block[1]}.json"


@dataclass
class ReadFailures:
    """The failures of a run so far. The run continues without the blocks that cannot be read."""

    pair: RasterPair
    found: UnreadableAreas = NOTHING_UNREADABLE
    blocks: int = 0
    _in_a_row: int = field(default=0, repr=False)

    def tolerate(self, error: BaseException) -> bool:
        """Whether the run continues without the failed job."""
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

    def record_success(self) -> None:
        """Note that a block was read."""
        self._in_a_row = 0

    def raise_collected(self, unsampled: UnreadableAreas) -> None:
        """Raise RunError if anything could not be read, with all areas and the cure."""
        found = self.found | unsampled
        if found:
            raise RunError(
                f"{summarise(describe_failures(self.pair, found))}; tried {TRIES} times, "
                "all else is done and kept; fetch the file again, or add --skip-unreadable "
                "to take it for nodata"
            )
