"""A web server of a folder with byte ranges, which can fail in all ways of servers.

It is a separate process: rasterio holds the GIL while GDAL looks for the files beside a raster, so a
server in the same process would never answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REFUSE, STALL, DROP, CLOSE = "refuse", "stall", "drop", "close"
"""Status 500, no bytes, a truncated body, a closed connection."""

ENDLESS = 1_000_000


@dataclass(frozen=True)
class Fault:
    """A fault of requests number `first` to `last`. With `stop`, only of those for bytes before it.

    These bytes begin at `start`; requests for a whole file then succeed.
    """

    kind: str
    first: int = 1
    last: int = ENDLESS
    start: int = 0
    stop: int = 0

    def applies_to(self, number: int, span: tuple[int | None, int | None]) -> bool:
        if not self.first <= number <= self.last:
            return False
        first, last = span
        if not self.stop:
            return True
        return first is not None and first < self.stop and (last is None or last >= self.start)


@dataclass(frozen=True)
class RangeServer:
    """A server. url: its address. folder: the served folder. notes: holds its instructions."""

    url: str
    folder: Path
    notes: Path

    def set_faults(self, *faults: Fault, tags: bool = True) -> None:
        """Set the faults and restart the count. tags: whether ETag and Last-Modified are sent."""
        aside = self.notes / "rules.part"
        aside.write_text(json.dumps({"faults": [asdict(f) for f in faults], "tags": tags}))
        (self.notes / "asked").unlink(missing_ok=True)
        aside.replace(self.notes / "rules")

    def requests(self) -> list[str]:
        """VERB PATH FIRST_BYTE of every request since then; FIRST_BYTE is -1 for whole files."""
        log = self.notes / "asked"
        return log.read_text().splitlines() if log.exists() else []


@contextmanager
def serve_folder(folder: Path, notes: Path) -> Iterator[RangeServer]:
    """Serve a folder on a free port of this machine. notes: an empty folder."""
    (notes / "rules").write_text('{"faults": [], "tags": true}')
    command = [sys.executable, __file__, str(folder), str(notes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield RangeServer(process.stdout.readline().strip(), folder, notes)
        finally:
            process.kill()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the word that its header came
    folder, notes = Path(), Path()
    lock = threading.Lock()

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_GET(self) -> None:
        self._answer("GET")

    def _fault_of_request(self, verb: str, span: tuple[int | None, int | None]) -> tuple[str, bool]:
        """The fault of this request, and whether answers have tags."""
        with self.lock:
            rules = json.loads((self.notes / "rules").read_text())
            with (self.notes / "asked").open("a") as log:
                log.write(f"{verb} {self.path} {-1 if span[0] is None else span[0]}\n")
            number = len((self.notes / "asked").read_text().splitlines())
        faults = (Fault(**values) for values in rules["faults"])
        return next((f.kind for f in faults if f.applies_to(number, span)), ""), rules["tags"]

    def _answer(self, verb: str) -> None:
        first, last = span = self._range()
        fate, tags = self._fault_of_request(verb, span)
        if fate == STALL:
            time.sleep(60)
        if fate in (STALL, CLOSE):
            self.close_connection = True
            return
        file = self.folder / self.path.lstrip("/")
        status = 500 if fate == REFUSE else 200 if file.is_file() else 404
        body = file.read_bytes() if status == 200 else b"no"
        whole = len(body)
        if status == 200 and first is not None:
            status, body = 206, body[first : None if last is None else last + 1]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if status in (200, 206) and tags:
            changed = file.stat().st_mtime_ns
            self.send_header("ETag", f'"{changed:x}-{whole:x}"')
            self.send_header("Last-Modified", self.date_time_string(changed // 10**9))
        if status == 206 and first is not None:
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{whole}")
        self.end_headers()
        if verb == "GET":
            self.close_connection = self.close_connection or fate == DROP
            self.wfile.write(body[: len(body) // 2] if fate == DROP else body)

    def _range(self) -> tuple[int | None, int | None]:
        unit, _, span = self.headers.get("Range", "").partition("=")
        if unit != "bytes":
            return None, None
        first, _, last = span.partition("-")
        return int(first), int(last) if last else None

    def log_message(self, *words: Any) -> None:
        pass


if __name__ == "__main__":
    _Handler.folder, _Handler.notes = map(Path, sys.argv[1:])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
