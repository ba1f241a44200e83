"""The work folder beside the output: what a run has done so far, kept until the output is whole."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geochange.errors import OutputError

logger = logging.getLogger(__name__)

RECORD = "fingerprint.json"


@dataclass(frozen=True)
class WorkFolder:
    """`.changes.gpkg.work` beside `changes.gpkg`.

    It carries the fingerprint of everything its contents depend on; with another fingerprint they
    are worth nothing.
    """

    path: Path

    @classmethod
    def for_output(cls, out: Path) -> WorkFolder:
        """The work folder of an output."""
        return cls(out.with_name(f".{out.name}.work"))

    def begin(self, fingerprint: dict[str, Any]) -> bool:
        """Make the folder ready; True if an earlier run with this fingerprint left its work here.

        Raises OutputError if something that is not ours stands in its place.
        """
        record = self.path / RECORD
        stale = self.path.is_dir() and not any(self.path.iterdir())
        wanted = json.dumps(fingerprint, sort_keys=True, indent=1)
        if self.path.exists():
            if not record.is_file() and not stale:
                raise OutputError(f"{self.path}: in the way and not geochange's; move it elsewhere")
            found = "" if stale else record.read_text()
            if found == wanted:
                return True
            if found:
                logger.warning("inputs or options changed since the last run: starting afresh")
            self.remove()
        try:
            self.path.mkdir()
            record.touch()
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made ({error.strerror})") from error
        return False

    def commit(self, fingerprint: dict[str, Any]) -> None:
        """Say, once the stores are laid out, whose work this is."""
        aside = self.path / f"{RECORD}.part"
        aside.write_text(json.dumps(fingerprint, sort_keys=True, indent=1))
        aside.replace(self.path / RECORD)

    def remove(self) -> None:
        """Delete the folder and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
