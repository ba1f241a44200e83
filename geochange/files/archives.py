"""Files in archives, and their GDAL names: /vsizip//folder/a.zip/inside.tif."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from geochange.errors import InputError
from geochange.files.file_names import expand_user, split_address

KINDS: Mapping[str, str] = {
    ".zip": "zip",
    ".kmz": "zip",
    ".tar": "tar",
    ".tar.gz": "tar",
    ".tgz": "tar",
    ".gz": "gzip",
}
"""How GDAL reads an archive (as in /vsizip/), by the longest matching suffix."""

UNSUPPORTED_ARCHIVES = (".7z", ".rar", ".bz2", ".xz", ".zst", ".tbz2", ".txz")
"""Suffixes of archives that GDAL does not read."""

ARCHIVE_ERRORS = (
    *(OSError, EOFError, NotImplementedError),
    *(zipfile.BadZipFile, tarfile.TarError),
)
"""What Python's readers raise for a file that is damaged, or no archive."""

MOST_LISTED = 4
"""The number of files that a message names."""

_URI = re.compile(r"^(zip|tar|gzip)(?:\+(file|https?|s3|gs|az|oss))?://(.+)$", re.IGNORECASE)
_VSI = re.compile(r"^/vsi(zip|tar|gzip)/(.+)$")
_FILE = re.compile(r"^file://", re.IGNORECASE)
_WEB = re.compile(r"^(https?|ftp|s3|gs|az|oss)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive; the archive itself if `name` is empty.

    kind: how GDAL reads the archive: zip, tar or gzip.
    """

    kind: str
    archive: Path
    name: str

    @property
    def gdal_name(self) -> str:
        """The GDAL name of the file; the path for an archive as a whole."""
        if not self.name:
            return f"/vsigzip/{self.archive}" if self.kind == "gzip" else str(self.archive)
        return f"/vsi{self.kind}/{self.archive}/{self.name}"


def gdal_name(text: str) -> str:
    """The GDAL name for a user's name, valid in every working folder. Other names are unchanged.

    An existing file or folder of exactly that name has priority. Otherwise "~" is a home folder, and
    URIs as in rasterio (zip://a.zip!b.tif, zip+https://, tar://, gzip://, file://) become paths and
    /vsi names.
    """
    for path in (text, os.path.expanduser(text)):
        if os.path.exists(path):
            return str(Path(path).absolute())
    uri = _URI.match(text)
    if uri is not None:
        text = _name_of_uri(uri[1].lower(), (uri[2] or "file").lower(), uri[3])
    elif _FILE.match(text):
        from urllib.request import url2pathname  # slow to import; it knows drives of Windows

        text = url2pathname(split_address(text).path)
    elif _WEB.match(text):
        scheme, _, rest = text.partition("://")
        text = f"{scheme.lower()}://{rest}"  # rasterio knows it in lower case alone
    inside = split(text)
    return text if inside is None else inside.gdal_name


def split(name: str) -> Member | None:
    """The archive and the file in it, from a /vsizip/, /vsitar/ or /vsigzip/ name.

    None for another name, or if the archive is not a file on this machine.
    """
    found = _VSI.match(name)
    if found is None:
        return None
    rest = found[2].replace("{", "").replace("}", "")
    for end in [*(match.start() for match in re.finditer("/", rest)), len(rest)]:
        # The second candidate restores the slash that pathlib drops from an absolute path.
        for archive in (rest[:end], f"/{rest[:end]}"):
            if os.path.isfile(archive):
                return Member(found[1], Path(archive).absolute(), rest[end + 1 :])
    return None


def file_on_disk(name: str | os.PathLike[str]) -> Path:
    """The file on disk behind a name: the archive of a file in an archive, else the file itself."""
    text = os.fspath(name)
    inside = split(text)
    return Path(text) if inside is None else inside.archive


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """How GDAL reads an archive, by its suffix: zip, tar or gzip. None for other files."""
    name = os.path.basename(os.fspath(path)).lower()
    return next((kind for end, kind in _LONGEST_FIRST if name.endswith(end)), None)


def members_of(archive: Path) -> tuple[str, ...]:
    """The files in a zip or tar archive, in its order, without hidden ones.

    Raises InputError for an archive that is damaged or needs a password.
    """
    try:
        names = list(_zip_names(archive) if kind_of(archive) == "zip" else _tar_names(archive))
    except ARCHIVE_ERRORS as error:
        raise InputError(f"{archive}: damaged, or not an archive; fetch it again") from error
    plain = (name.removeprefix("./") for name in names)
    return tuple(name for name in plain if not any(map(_is_hidden, name.split("/"))))


def _is_hidden(part: str) -> bool:
    return part == "__MACOSX" or (part.startswith(".") and part != "..")


def list_names(names: list[str]) -> str:
    """The first names, and the number of the others."""
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more


_LONGEST_FIRST = sorted(KINDS.items(), key=lambda item: -len(item[0]))


def _name_of_uri(kind: str, place: str, rest: str) -> str:
    archive, member = _split_at_mark(rest)
    if place == "file":
        whole = expand_user(archive).absolute()
        return Member(kind, whole, member).gdal_name
    behind = (
        f"/vsicurl/{place}://{archive}" if place.startswith("http") else f"/vsi{place}/{archive}"
    )
    return f"/vsi{kind}/{behind}" + (f"/{member}" if member else "")


def _split_at_mark(rest: str) -> tuple[str, str]:
    """The parts before and after "!": after an existing archive if there is one, else at the last "!"."""
    marks = [match.start() for match in re.finditer("!", rest)]
    for mark in marks:
        if os.path.isfile(os.path.expanduser(rest[:mark])):
            return rest[:mark], rest[mark + 1 :].lstrip("/")
    if not marks:
        return rest, ""
    return rest[: marks[-1]], rest[marks[-1] + 1 :].lstrip("/")


def _zip_names(archive: Path) -> Iterator[str]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.flag_bits & 1:
                raise InputError(f"{archive}: needs a password; unpack it first")
            if not info.is_dir():
                yield info.filename


def _tar_names(archive: Path) -> Iterator[str]:
    with tarfile.open(archive) as opened:
        yield from (info.name for info in opened if info.isfile())
