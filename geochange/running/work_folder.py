"""The work folder beside the output. It holds the results of a run until the output is complete."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from geochange.errors import OutputError
from geochange.files.bounded_read import parse_json
from geochange.files.checksummed import read_checksummed, write_checksummed

logger = logging.getLogger(__name__)

FINGERPRINT_FILE = "fingerprint.json"

STORE_FORMAT_KEY = "stores"
"""The entry of a fingerprint with the format of stores; version 0.1.0 had none."""

WORK_ENTRIES = (
    *(FINGERPRINT_FILE, "*.zarr", "unreadable", "area.wkb", "outlines.bin"),
    *("*.part", "*.plain.tif", "*.plain.tif.*", "tmp*"),
)
"""The names of the entries of a work folder."""


@dataclass(frozen=True)
class WorkFolder:
    """The folder `.changes.gpkg.work` beside `changes.gpkg`.

    It holds the fingerprint of everything that its contents depend on. With another fingerprint, the
    contents are discarded.
    """

    path: Path

    @classmethod
    def for_output(cls, out: Path) -> WorkFolder:
        """The work folder of an output."""
        return cls(out.with_name(f".{out.name}.work"))

    def begin(self, fingerprint: dict[str, Any]) -> bool:
        """Prepare the folder. Returns True if an earlier run with this fingerprint left its work here.

        Raises OutputError if geochange did not make the folder.
        """
        wanted = json.loads(json.dumps(fingerprint))
        if self.path.is_symlink() or self.path.exists():
            if not self._is_ours():
                raise OutputError(
                    f"{self.path}: exists and was not made by geochange; move it elsewhere"
                )
            found = self._record()
            if found == wanted:
                return True
            if found is not None:
                logger.warning("%s: starting afresh", _explain_mismatch(found, wanted))
            self.remove()
        try:
            self.path.mkdir()
            (self.path / FINGERPRINT_FILE).touch()
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made ({error.strerror})") from error
        return False

    def _is_ours(self) -> bool:
        """Whether a run made the folder: it holds a fingerprint, or only entries of runs."""
        if not self.path.is_dir() or self.path.is_symlink():
            return False
        return (self.path / FINGERPRINT_FILE).is_file() or all(
            any(fnmatch(entry.name, name) for name in WORK_ENTRIES) for entry in self.path.iterdir()
        )

    def _record(self) -> dict[str, Any] | None:
        """The fingerprint; {} if it is damaged or lost, None if no run wrote one."""
        record = self.path / FINGERPRINT_FILE
        if record.is_file() and record.stat().st_size == 0:
            return None
        packed = read_checksummed(record)
        try:
            found = parse_json(record.read_bytes() if packed is None else packed)
        except (OSError, ValueError):
            return {} if any(self.path.iterdir()) else None
        if not isinstance(found, dict) or (packed is None and STORE_FORMAT_KEY in found):
            return {}
        return found

    def commit(self, fingerprint: dict[str, Any]) -> None:
        """Write the fingerprint, after the stores are created."""
        text = json.dumps(fingerprint, sort_keys=True, indent=1)
        write_checksummed(self.path / FINGERPRINT_FILE, text.encode())

    def remove(self) -> None:
        """Delete the folder and its contents."""
        shutil.rmtree(self.path, ignore_errors=True)


def _explain_mismatch(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Why the work of an earlier run cannot be used."""
    if not found:
        return "the work of the last run is damaged"
    if any(found.get(name) != wanted.get(name) for name in ("geochange", STORE_FORMAT_KEY)):
        return "the work is from another version of geochange"
    return "inputs or options changed since the last run"
