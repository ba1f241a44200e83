"""Web requests that GDAL does not make. They have limits of time and size, and protect headers.

GDAL reads pixels itself. This module downloads STAC items and asks for the headers of files.
"""

from __future__ import annotations

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO

from geochange.files.file_names import split_address

RESPONSE_TIMEOUT_S = 15.0
"""The time limit for a complete answer, also from a slow server."""

CHUNK_BYTES = 1 << 16

CREDENTIAL_VARIABLES = (
    "GDAL_HTTP_HEADERS",
    "GDAL_HTTP_BEARER",
    "GDAL_HTTP_USERPWD",
    "GDAL_HTTP_COOKIE",
)
"""Environment variables whose values GDAL sends to every server."""


@dataclass(frozen=True)
class HttpResponse:
    """The headers and the body of an answer. The body of a HEAD request is empty."""

    headers: Mapping[str, str]
    body: bytes


class TooLargeError(OSError):
    """An answer exceeds its size limit."""


def host_of(url: str) -> str:
    """The host and port of a URL, in lower case; "" without a host."""
    return split_address(url).netloc.rpartition("@")[2].lower()


def user_headers() -> dict[str, str]:
    """The user's headers for GDAL's requests: "Name: value,Other: value"."""
    told = (pair.partition(":") for pair in os.environ.get("GDAL_HTTP_HEADERS", "").split(","))
    return {name.strip(): value.strip() for name, colon, value in told if colon}


def credentials_set() -> list[str]:
    """The names of CREDENTIAL_VARIABLES that are set in the user's environment."""
    return [name for name in CREDENTIAL_VARIABLES if os.environ.get(name)]


def http_fetch(
    url: str, largest: int, method: str = "GET", headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Send a web request with a time limit for the whole answer.

    largest: the most bytes of the body. headers: are sent to the host of `url`, but not to another
    host after a redirect.

    Raises OSError (TimeoutError, TooLargeError, urllib.error.HTTPError), HTTPException, ValueError.
    """
    found: list[HttpResponse | Exception] = []
    given_up = threading.Event()

    def work() -> None:
        try:
            found.append(_fetch(url, largest, method, headers or {}, given_up))
        except (OSError, HTTPException, ValueError) as error:
            found.append(error)

    thread = threading.Thread(target=work, name="fetch", daemon=True)
    thread.start()
    thread.join(RESPONSE_TIMEOUT_S)
    if not found:
        given_up.set()
        raise TimeoutError(f"no complete answer within {RESPONSE_TIMEOUT_S:g} s")
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _fetch(
    url: str, largest: int, method: str, headers: Mapping[str, str], given_up: threading.Event
) -> HttpResponse:
    request = urllib.request.Request(url, method=method)
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    opener = urllib.request.build_opener(_SafeRedirects(headers))
    body = bytearray()
    with opener.open(request, timeout=RESPONSE_TIMEOUT_S) as answer:
        while method != "HEAD" and (piece := answer.read1(CHUNK_BYTES)):
            body += piece
            if len(body) > largest:
                raise TooLargeError(f"larger than {largest:,} bytes")
            if given_up.is_set():
                break
        return HttpResponse(dict(answer.headers.items()), bytes(body))


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to web servers. The user's headers are kept only for the same host."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request after a redirect. Raises HTTPError if the new URL is not on the web."""
        if split_address(newurl).scheme.lower() not in ("http", "https"):
            raise urllib.error.HTTPError(newurl, code, "it redirects off the web", headers, fp)
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        is_safe = host_of(newurl) == host_of(req.full_url) and not (
            req.full_url.lower().startswith("https:") and newurl.lower().startswith("http:")
        )
        if following is not None and is_safe:
            for name, value in self._headers.items():
                following.add_unredirected_header(name, value)
        return following
