"""Requests to servers that are slow, redirect, or never stop: limited, and no secret is leaked."""

from __future__ import annotations

import threading
import urllib.error
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from geochange.raster.access import http
from geochange.raster.access.http import TooLargeError, host_of, http_fetch, user_headers

SECRET = {"X-Api-Key": "secret"}


class Handler(BaseHTTPRequestHandler):
    """Answers by path; `seen` has the host and the headers of each request."""

    seen: list[tuple[str, dict[str, str]]]
    stop: threading.Event

    def do_GET(self) -> None:
        self.seen.append((self.headers["Host"], dict(self.headers.items())))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            while not self.stop.wait(0.05):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return
        elif self.path == "/large":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(64):
                    self.wfile.write(b"x" * 2**16)
            except OSError:
                return
        else:
            self.send_response(200)
            self.send_header("ETag", "one")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(b"{}")

    do_HEAD = do_GET  # noqa: N815  # http.server asks for this name

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def servers() -> Iterator[tuple[str, str, list[tuple[str, dict[str, str]]]]]:
    """Two hosts (two ports of the loopback), and the requests that both received."""
    Handler.seen, Handler.stop = [], threading.Event()
    running = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    for server in running:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    one, two = (f"http://127.0.0.1:{server.server_address[1]}" for server in running)
    yield one, two, Handler.seen
    Handler.stop.set()
    for server in running:
        server.shutdown()
        server.server_close()


def test_headers_and_body_of_an_answer(
    servers: tuple[str, str, list[tuple[str, dict[str, str]]]],
) -> None:
    one, _, seen = servers
    assert http_fetch(f"{one}/item.json", 10, headers=SECRET).body == b"{}"
    assert seen[0][1]["X-Api-Key"] == "secret"
    told = http_fetch(f"{one}/item.json", 0, "HEAD")
    assert (told.body, told.headers["ETag"]) == (b"", "one")


@pytest.mark.slow
def test_a_server_that_drips_is_given_up(
    servers: tuple[str, str, list[tuple[str, dict[str, str]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "RESPONSE_TIMEOUT_S", 0.4)
    with pytest.raises(TimeoutError, match="no complete answer"):
        http_fetch(f"{servers[0]}/drip", 10**6)


def test_a_body_is_read_no_further_than_it_may_be(
    servers: tuple[str, str, list[tuple[str, dict[str, str]]]],
) -> None:
    with pytest.raises(TooLargeError):
        http_fetch(f"{servers[0]}/large", 2**16)


def test_headers_follow_a_redirect_to_the_same_host_alone(
    servers: tuple[str, str, list[tuple[str, dict[str, str]]]],
) -> None:
    one, two, seen = servers
    http_fetch(f"{one}/to/{one}/item.json", 10, headers=SECRET)
    assert [headers.get("X-Api-Key") for _, headers in seen] == ["secret", "secret"]
    seen.clear()
    http_fetch(f"{one}/to/{two}/item.json", 10, headers=SECRET)
    assert [(host, headers.get("X-Api-Key")) for host, headers in seen] == [
        (host_of(one), "secret"),
        (host_of(two), None),
    ]
    seen.clear()
    # A redirect over another host and back does not restore the headers.
    http_fetch(f"{one}/to/{two}/to/{one}/item.json", 10, headers=SECRET)
    assert seen[1][1].get("X-Api-Key") is None


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_a_redirect_off_the_web_is_not_followed(
    servers: tuple[str, str, list[tuple[str, dict[str, str]]]], place: str
) -> None:
    with pytest.raises(urllib.error.HTTPError, match=r"(?i)off the web|redirection"):
        http_fetch(f"{servers[0]}/to/{place}", 10)


def test_headers_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDAL_HTTP_HEADERS", "X-Api-Key: a:b,Accept: c")
    assert user_headers() == {"X-Api-Key": "a:b", "Accept": "c"}
    monkeypatch.delenv("GDAL_HTTP_HEADERS")
    assert user_headers() == {}


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://u:p@A.org:8/x", "a.org:8"), ("http://b", "b"), ("/a/b", ""), ("s3://c/d", "c")],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
