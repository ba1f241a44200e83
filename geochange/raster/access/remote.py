"""Rasters on servers: how they are recognised, and GDAL's timeouts and retries for them."""

from __future__ import annotations

import os
import re
from typing import Any

from geochange.files.file_names import split_address

_REMOTE = re.compile(
    r"(^|\+)(https?|ftp|s3|gs|az|oss)://|/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)\b",
    re.IGNORECASE,  # GDAL's own driver of web addresses heeds no case
)

_REFUSED = re.compile(r"HTTP response code: 4(?!08|25|29)\d\d")
"""Client errors that will not go away, unlike a timeout or "too many requests"."""

HTTP_OPTIONS = {
    "GDAL_HTTP_CONNECTTIMEOUT": 15,
    # Stalled transfers are aborted. Slow ones may take any time.
    "GDAL_HTTP_LOW_SPEED_TIME": 30,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 100,
    # Only for 429 and 5xx. Each pause is about twice the previous one.
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
}
"""Timeouts and retries within one request, in seconds and bytes per second. GDAL does not retry
stalled transfers."""

NO_NEGATIVE_CACHE = {
    "CPL_VSIL_CURL_NON_CACHED": ":".join(("/vsicurl/", "/vsis3/", "/vsigs/", "/vsiaz/"))
}
"""GDAL caches that a file on a server is missing. This setting avoids the cache."""


def endpoint_options() -> dict[str, Any]:
    """GDAL's options for the S3 server of AWS_ENDPOINT_URL, which GDAL does not read itself."""
    address = split_address(os.environ.get("AWS_ENDPOINT_URL", ""))
    if address.scheme not in ("http", "https") or not address.netloc:
        return {}
    return {
        "AWS_S3_ENDPOINT": address.netloc + address.path.rstrip("/"),
        "AWS_HTTPS": "YES" if address.scheme == "https" else "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }


def is_remote(path: str) -> bool:
    """Whether reading `path`, or the archive that holds it, needs a server."""
    return _REMOTE.search(path) is not None


def is_transient(path: str, error: Exception) -> bool:
    """Whether the error on opening a raster may go away in a moment."""
    return is_remote(path) and not _REFUSED.search(str(error))


def without_user_settings(options: dict[str, Any]) -> dict[str, Any]:
    """The options without those that the user's environment sets, as GDAL would prefer these here."""
    return {name: value for name, value in options.items() if name not in os.environ}
