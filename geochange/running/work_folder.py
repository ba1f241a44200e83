"""The work of a run: its fingerprint tells whether a later run goes on from it."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from geochange.errors import OutputError
from geochange.files.bounded_read import parse_json
from geochange.files.checksummed import without_checksum
from geochange.storage.local import LocalWork
from geochange.storage.work_store import WorkStore, write_checksummed

logger = logging.getLogger(__name__)

FINGERPRINT_FILE = "fingerprint.json"

STORE_FORMAT_KEY = "stores"
"""The entry of a fingerprint with the format of stores; version 0.1.0 had none."""

WORK_ENTRIES = (
    *(FINGERPRINT_FILE, "*.zarr", "unreadable", "area.wkb", "outlines.bin"),
    *("*.part", "*.partial", "*.plain.tif", "*.plain.tif.*", "tmp*"),
    "run-*",
)
"""The names of the entries of a work folder; the last one is that of object storage."""


@dataclass(frozen=True)
class WorkFolder:
    """The folder `.changes.gpkg.work` beside `changes.gpkg`, or another place of that name.

    It holds the fingerprint of everything that its contents depend on. With another fingerprint, the
    contents are discarded.
    """

    store: WorkStore

    @classmethod
    def for_output(cls, out: Path) -> WorkFolder:
        """The work folder beside an output."""
        return cls(LocalWork(out.with_name(work_name(out))))

    def begin(self, fingerprint: dict[str, Any]) -> bool:
        """Prepare the folder. Returns True if an earlier run with this fingerprint left its work here.

        Raises OutputError if geochange did not make the folder.
        """
        wanted = json.loads(json.dumps(fingerprint))
        entries = self.store.entries()
        if entries is not None:
            if not _are_of_a_run(entries):
                raise OutputError(
                    f"{self.store}: exists and was not made by geochange; move it elsewhere"
                )
            found = self._record(entries)
            if found == wanted:
                return True
            if found is not None:
                logger.warning("%s: starting afresh", _explain_mismatch(found, wanted))
            self.remove()
        self.store.begin()
        self.store.write(FINGERPRINT_FILE, b"")
        return False

    def _record(self, entries: list[str]) -> dict[str, Any] | None:
        """The fingerprint; {} if it is damaged or lost, None if no run wrote one."""
        try:
            read = self.store.read(FINGERPRINT_FILE)
            if read == b"" or not entries:
                return None
            packed = without_checksum(read or b"")
            found = parse_json((read or b"") if packed is None else packed)
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict) or (packed is None and STORE_FORMAT_KEY in found):
            return {}
        return found

    def commit(self, fingerprint: dict[str, Any]) -> None:
        """Write the fingerprint, after the stores are created."""
        text = json.dumps(fingerprint, sort_keys=True, indent=1)
        write_checksummed(self.store, FINGERPRINT_FILE, text.encode())

    def remove(self) -> None:
        """Delete the folder and its contents."""
        self.store.discard()


def work_name(out: Path) -> str:
    """The name of the work folder of an output."""
    return f".{out.name}.work"


def digest_of(fingerprint: dict[str, Any]) -> str:
    """A short name of a fingerprint."""
    text = json.dumps(fingerprint, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _are_of_a_run(entries: list[str]) -> bool:
    """Whether a run made the entries: one is a fingerprint, or all have names of runs."""
    return FINGERPRINT_FILE in entries or all(
        any(fnmatch(entry, name) for name in WORK_ENTRIES) for entry in entries
    )


def _explain_mismatch(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Why the work of an earlier run cannot be used."""
    if not found:
        return "the work of the last run is damaged"
    if any(found.get(name) != wanted.get(name) for name in ("geochange", STORE_FORMAT_KEY)):
        return "the work is from another version of geochange"
    return "inputs or options changed since the last run"
