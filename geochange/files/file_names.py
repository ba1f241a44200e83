"""File names: refuses names that libraries cannot open, and shortens names for messages."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from geochange.errors import GeochangeError
from geochange.formatting import printable

PathLike = str | os.PathLike[str]

LONGEST_PATH: Final = 4096
"""The longest path in bytes on Linux; other systems allow less."""

LONGEST_ADDRESS: Final = 2**15
"""The longest URL in bytes, with its signature; servers allow less."""

_SHOWN: Final = 200
"""The number of characters of a name in a message."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|/vsi")
"""The start of URLs and GDAL names. pathlib merges the two slashes of s3:// into one."""


_USER: Final = re.compile(r"(?<=://)[^/?#@]*@")

_SIGNATURE: Final = re.compile(
    r"[?&](x-(amz|goog)-|sig(nature)?=|awsaccesskeyid=|googleaccessid=|key-pair-id=|policy="
    r"|([a-z_-]*token|api[_-]?key|subscription-key|key|password)=)",
    re.IGNORECASE,
)
"""Parameters of a signed address. Whoever reads them has the rights of who signed it."""


def shorten(path: PathLike) -> str:
    """A name for messages: in one line, and without its middle if it is very long."""
    text = printable(os.fspath(path))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"


def split_address(text: str) -> SplitResult:
    """The parts of an address; what Python takes for none ("http://[") is a path and no more."""
    try:
        return urlsplit(text)
    except ValueError:
        return SplitResult("", "", text, "", "")


def refuse_invalid_name(path: PathLike, error: type[GeochangeError]) -> None:
    """Refuse a name that no library can open, with an error of the given type.

    GDAL's Python libraries encode names as UTF-8. A name with other bytes cannot reach its file.
    """
    text = os.fspath(path)
    if "\0" in text:
        raise error(f"{shorten(text)}: the name holds a NUL character; check where it comes from")
    if not text.isascii() and sys.getfilesystemencoding() != "utf-8":
        raise error(
            f"{shorten(text)}: names are read as {sys.getfilesystemencoding()} here, and GDAL takes "
            "them as UTF-8; set PYTHONUTF8=1 and try again"
        )
    try:
        size = len(text.encode())
    except UnicodeEncodeError as fault:
        raise error(
            f"{shorten(text)}: the name holds bytes that are not UTF-8 (shown as ?); rename it (mv)"
        ) from fault
    longest = LONGEST_ADDRESS if is_address(text) else LONGEST_PATH
    if size >= longest:
        raise error(
            f"{shorten(text)}: the name has {size:,} bytes, but the limit is {longest - 1:,}; shorten it"
        )


def is_control(text: str) -> bool:
    """Whether a text holds control characters, such as line breaks and tabs."""
    return _CONTROL.search(text) is not None


def is_address(text: str) -> bool:
    """Whether a name is a URL or a GDAL name, and not a path on a disk."""
    return _ADDRESS.match(text) is not None


def without_secrets(name: str) -> str:
    """An address without user, password and signature, for records and reports. Paths are unchanged."""
    if not (is_address(name) and "://" in name):
        return name
    text = _USER.sub("", name)
    return text.partition("?")[0] if _SIGNATURE.search(text) else text


def expand_user(path: PathLike) -> Path:
    """The path with ~ as the user's folder. ~NAME stays where there is no such user."""
    return Path(os.path.expanduser(path))
