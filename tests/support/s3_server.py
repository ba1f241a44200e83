"""An S3 server on this machine (moto's), which counts requests and fails on demand."""

from __future__ import annotations

import os
import socket
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

KEY, SECRET = "AKIDNOBODYMAYSEETHIS", "nobody-may-see-this-secret"

SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate</Message></Error>"
)

Fault = Callable[["Call"], str | None]
"""What happens to a request: "slow down", "broken", "late", "cut" (the connection ends in the middle of
what is sent), "half" (in the middle of the answer), "denied", or nothing."""


@dataclass(frozen=True)
class Call:
    """A request: GET, PUT, HEAD, LIST, DELETE or POST, and its path with the bucket."""

    kind: str
    path: str
    number: int


@dataclass
class S3Server:
    """The server: its address, its requests so far, and the fault of each new one."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    fault: Fault | None = None
    faults: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, part: str = "") -> Counter[str]:
        """The requests whose path has this part, by kind."""
        return Counter(call.kind for call in self.calls if part in call.path)

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Faults in this context."""
        self.fault, before = fault, self.fault
        try:
            yield
        finally:
            self.fault = before

    def answer(self, app: Any, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer a request, or fail as `fault` says."""
        kind = environ["REQUEST_METHOD"]
        if kind == "GET" and "list-type=" in environ.get("QUERY_STRING", ""):
            kind = "LIST"
        with self._lock:
            call = Call(kind, environ["PATH_INFO"], len(self.calls))
            self.calls.append(call)
        what = self.fault(call) if self.fault is not None else None
        if what is not None:
            self.faults[what] += 1
        if what == "late":
            time.sleep(0.5)
        if what in ("slow down", "broken", "denied"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            status = {"slow down": "503 Slow Down", "broken": "500 Oops", "denied": "403 Forbidden"}
            body = SLOW_DOWN if what == "slow down" else b""
            start(status[what], [("Content-Length", str(len(body)))])
            return [body]
        if what == "cut":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0) // 2)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        answered: Iterable[bytes] = app(environ, start)
        return self._half(answered, environ) if what == "half" else answered

    def _half(self, answered: Iterable[bytes], environ: dict[str, Any]) -> Iterator[bytes]:
        body = b"".join(answered)
        yield body[: len(body) // 2]
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError


@contextmanager
def s3_server(*buckets: str) -> Iterator[S3Server]:
    """A server with these buckets. The environment of this process has its address and credentials."""
    import obstore
    from moto.server import DomainDispatcherApplication, create_backend_app
    from obstore.store import S3Store
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a body waits 40 ms for the word that its header came

        def log(self, *_: Any) -> None: ...

    server, app = S3Server(), DomainDispatcherApplication(create_backend_app)
    web = make_server(
        "127.0.0.1",
        0,
        lambda environ, start: server.answer(app, environ, start),
        threaded=True,
        request_handler=Quiet,
    )
    server.url = f"http://127.0.0.1:{web.server_port}"
    threading.Thread(target=web.serve_forever, daemon=True).start()
    settings = {
        **{"AWS_ENDPOINT_URL": server.url, "AWS_REGION": "us-east-1"},
        **{"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
        # Nothing asks the machine around for credentials.
        **{"AWS_METADATA_ENDPOINT": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "true"},
    }
    rest = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with patch.dict(os.environ, {**rest, **settings}, clear=True):
        for bucket in buckets:
            made = urllib.request.Request(f"{server.url}/{bucket}", method="PUT", data=b"")
            urllib.request.urlopen(made).close()
            # All servers of a process share moto's buckets.
            client = S3Store(bucket, client_options={"allow_http": True})
            left = [str(one["path"]) for one in obstore.list(client).collect()]
            if left:
                obstore.delete(client, left)
        server.calls.clear()
        try:
            yield server
        finally:
            web.shutdown()
            web.server_close()
