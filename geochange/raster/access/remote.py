"""Rasters behind a network: which they are, and how long GDAL waits and tries for them."""

from __future__ import annotations

import os
import re
from typing import Any

_REMOTE = re.compile(
    r"(^|\+)(https?|ftp|s3|gs|az|oss)://|/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)\b",
    re.IGNORECASE,  # GDAL's own driver of web addresses heeds no case
)

_REFUSED = re.compile(r"HTTP response code: 4(?!08|25|29)\d\d")
"""An answer that will be the same the next time; not a time-out, nor a plea to come later."""

HTTP = {
    "GDAL_HTTP_CONNECTTIMEOUT": 15,
    # A transfer is given up that stalls, however long one that goes on may take.
    "GDAL_HTTP_LOW_SPEED_TIME": 30,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 100,
    # Of 429 and 5xx alone; each pause is about twice the one before.
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
}
"""GDAL's patience within one request, seconds and bytes a second. It does not try stalls again."""

NOT_REMEMBERED = {
    "CPL_VSIL_CURL_NON_CACHED": ":".join(("/vsicurl/", "/vsis3/", "/vsigs/", "/vsiaz/"))
}
"""A file that did not answer once counts as missing for as long as GDAL remembers it."""


def is_remote(path: str) -> bool:
    """Whether reading `path`, or what it lies in, asks a server."""
    return _REMOTE.search(path) is not None


def may_pass(path: str, error: Exception) -> bool:
    """Whether what keeps a raster from being opened may be over in a moment."""
    return is_remote(path) and not _REFUSED.search(str(error))


def unless_set(options: dict[str, Any]) -> dict[str, Any]:
    """Those options that the user's environment does not set; GDAL would hear ours first."""
    return {name: value for name, value in options.items() if name not in os.environ}
