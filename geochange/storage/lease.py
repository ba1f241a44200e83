"""A lease on a prefix of object storage: one run at a time, without a clock that all share.

The holder puts a new version of one object at intervals, each only if its last version is still there.
Who finds a lease waits: if the version changes, the holder lives. If it stays for LEASE_S, the holder is
dead and the lease is taken over, by a put on the condition that the version is still the same.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from geochange.errors import OutputError, RunError
from geochange.files.bounded_read import parse_json
from geochange.progress import CheckedProgress, Progress
from geochange.storage.object_client import as_storage_error, client_of
from geochange.storage.work_store import StorageError

logger = logging.getLogger(__name__)

LEASE_KEY: Final = "lock.json"

LEASE_S: float = 60.0
"""A lease that is not renewed for so long belongs to a dead run."""

RENEW_S: float = 15.0

LOOK_S: float = 1.0
"""How often a waiting run looks at the lease."""

SURELY_DEAD_S: Final = 3600.0
"""A lease of this age needs no wait. Clocks that differ by more could sign no request."""

MOST_BYTES: Final = 4096

_held: set[str] = set()
"""The owners of the leases that this process holds."""


def this_process() -> dict[str, Any]:
    """The machine and process of the holder, by which a dead one is recognised there."""
    places = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    boot = places[0].read_text().strip() if places[0].is_file() else ""
    try:
        container = os.readlink(places[1])
    except OSError:
        container = ""
    return {"host": platform.node(), "boot": boot, "container": container, "process": os.getpid()}


@dataclass
class Lease:
    """The lease of one run. Threads share it: one renews, the others ask whether it is lost."""

    url: str
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    _version: dict[str, str] = field(default_factory=dict)
    _lost: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def take(self) -> None:
        """Take the lease. Waits for a dead holder. Raises OutputError if the holder lives."""
        first: _Found | None = None
        began = time.monotonic()
        while not self._put("create"):
            found = _look(self.url)
            if found is None:
                continue
            if found.owner == self.owner:  # an earlier try succeeded, only its answer was lost
                self._version = found.version
                return
            if first is not None and found.version != first.version:
                raise OutputError(
                    f"{self.url}: another run ({found.who}) works there; wait for it to end, or give "
                    "another --work"
                )
            first = first or found
            if found.is_dead(time.monotonic() - began):
                if self._put(found.version):
                    return
                continue
            if found is first:
                logger.warning(
                    "%s: locked by %s, which may be dead; looking for %g s",
                    *(self.url, found.who, LEASE_S),
                )
            time.sleep(LOOK_S)

    def renew_until_ended(self) -> None:
        """Renew the lease at intervals, in a thread."""
        while not self._ended.wait(RENEW_S):
            # A server that does not answer is asked again. Meanwhile somebody may take over.
            with suppress(StorageError):
                if not self._put(self._version) and not self._is_mine():
                    self._lost.set()
                    return

    def end(self) -> None:
        """Stop renewing, and delete the lease if it is still held."""
        import obstore

        _held.discard(self.owner)
        self._ended.set()
        if self._lost.is_set():
            return
        with suppress(StorageError, FileNotFoundError):
            found = _look(self.url)
            if found is not None and found.owner == self.owner:
                with as_storage_error(self.url):
                    obstore.delete(client_of(self.url), LEASE_KEY)

    def watched(self, progress: Progress) -> Progress:
        """The same progress. Its calls raise RunError once the lease is lost."""
        return CheckedProgress(progress, self._refuse_if_lost)

    def _refuse_if_lost(self) -> None:
        if self._lost.is_set():
            raise RunError(
                f"{self.url}: another run took over, because this one did not answer for "
                f"{LEASE_S:g} s; wait for that run to end"
            )

    def _is_mine(self) -> bool:
        found = _look(self.url)
        if found is None or found.owner != self.owner:
            return False
        self._version = found.version
        return True

    def _put(self, mode: Any) -> bool:
        """Put a new version of the lease; False if the condition does not hold."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        record = {"geochange": "lock", "owner": self.owner, **this_process()}
        value = json.dumps({**record, "version": uuid.uuid4().hex}).encode()
        try:
            with as_storage_error(self.url):
                version = obstore.put(client_of(self.url), LEASE_KEY, value, mode=mode)
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            return False
        self._version = _plain(version)
        _held.add(self.owner)
        return True


@dataclass(frozen=True)
class _Found:
    """A lease as it is stored: its version, its time and its record."""

    version: dict[str, str]
    time: datetime
    record: dict[str, Any]

    @property
    def owner(self) -> Any:
        return self.record.get("owner")

    @property
    def who(self) -> str:
        host, process = str(self.record.get("host"))[:64], self.record.get("process")
        clean = "".join(letter if letter.isprintable() else "?" for letter in host)
        return f"process {process if isinstance(process, int) else '?'} on {clean}"

    def is_dead(self, unchanged_s: float) -> bool:
        """Whether the holder ended. unchanged_s: how long the version has been the same."""
        age_s = (datetime.now(UTC) - self.time).total_seconds()
        return unchanged_s >= LEASE_S or age_s >= SURELY_DEAD_S or self._has_died_here()

    def _has_died_here(self) -> bool:
        """Whether the holder was a process of this machine that is gone."""
        here, process = this_process(), self.record.get("process")
        same = all(self.record.get(name) == here[name] for name in ("host", "boot", "container"))
        if not (same and here["boot"] and isinstance(process, int) and process > 0):
            return False
        if process == os.getpid():
            return self.owner not in _held
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):
            return False
        return False


def _look(url: str) -> _Found | None:
    """The lease at a prefix; None without one. Raises StorageError."""
    import obstore

    try:
        with as_storage_error(url):
            answer = obstore.get(client_of(url), LEASE_KEY)
            meta = answer.meta
            value = bytes(answer.bytes()) if meta["size"] <= MOST_BYTES else b""
    except FileNotFoundError:
        return None
    try:
        record = parse_json(value)
    except ValueError:
        record = None
    return _Found(_plain(meta), meta["last_modified"], record if isinstance(record, dict) else {})


def _plain(version: Any) -> dict[str, str]:
    """The version of an object as a condition of a put."""
    return {name: version[name] for name in ("e_tag", "version") if version.get(name)}


@contextmanager
def hold_lease(url: str) -> Iterator[Lease]:
    """Hold the lease on a prefix. Raises OutputError if another run holds it, or if it cannot be put."""
    lease = Lease(url)
    try:
        lease.take()
    except StorageError as error:
        raise OutputError(str(error)) from error
    thread = threading.Thread(target=lease.renew_until_ended, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.end()
        thread.join(1)
