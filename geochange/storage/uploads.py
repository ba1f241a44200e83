"""Uploads: outputs that are written aside on this machine and put into a bucket when all are whole."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from geochange.errors import GeochangeError, OutputError, RunError
from geochange.files.file_names import shorten
from geochange.storage.object_client import (
    as_storage_error,
    checked_url,
    client_of,
    require_obstore,
)

MARK: Final = "geochangemd5"
"""The attribute of an object that geochange put: the MD5 of its bytes.

Azure takes no hyphen in such names, and some proxies no underscore.
"""

CONTENT_TYPES: Final = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".gpkg": "application/geopackage+sqlite3",
    ".geojson": "application/geo+json",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
}

POLYGONS: Final = (".gpkg", ".geojson", ".fgb", ".parquet")
"""The suffixes of polygons, which alone may be replaced by --overwrite."""

_GDAL_NAME: Final = re.compile(r"^/vsi(s3|gs|az)/")

PROBE: Final = ".geochange-probe"

PART_BYTES: Final = 16 * 2**20
"""Larger files are put in parts of this size. They appear when the last part is there."""


@dataclass(frozen=True)
class Upload:
    """A prefix of a bucket for the outputs of a run, and the folder in which they are written.

    The folder is deleted with this value. found: the versions of objects that will be replaced.
    """

    prefix: str
    folder: tempfile.TemporaryDirectory[str]
    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, url: str, work: Path | None) -> tuple[Upload, Path]:
        """The upload to a URL, and the file to write. work: a folder with room, if there is one.

        Raises OutputError and MissingDependencyError.
        """
        require_obstore("--out")
        prefix, _, name = checked_url("--out", url).rpartition("/")
        if prefix.endswith(":/"):
            raise OutputError(f"--out {shorten(url)}: names no bucket")
        folder = tempfile.TemporaryDirectory(prefix="geochange-out-", dir=work)
        return cls(prefix, folder), Path(folder.name) / name

    def url_of(self, file: Path) -> str:
        """The URL at which a file will be."""
        return f"{self.prefix}/{file.name}"

    def close(self) -> None:
        """Delete the folder."""
        self.folder.cleanup()

    def refuse_inputs(self, files: Iterable[Path], inputs: Iterable[str]) -> None:
        """Refuse to replace an input of the run. inputs: GDAL names. Raises OutputError."""
        addresses = {_GDAL_NAME.sub(r"\1://", name) for name in inputs}
        for file in files:
            if self.url_of(file) in addresses:
                raise OutputError(
                    f"--out: would overwrite the input {self.url_of(file)}; give another name"
                )

    def check(self, files: Iterable[Path], replaced: Path | None) -> None:
        """Look at the bucket, and refuse to replace what geochange did not put. Raises OutputError.

        replaced: the file that may be replaced in any case, by --overwrite.
        """
        for file in files:
            there = self._look(file.name, OutputError)
            if there is None:
                continue
            if file != replaced and MARK not in there[1]:
                cure = ", or add --overwrite" if file.suffix in POLYGONS else ""
                raise OutputError(
                    f"{self.url_of(file)}: exists and was not put there by geochange; move it, or give "
                    f"another --out{cure}"
                )
            self.found[file.name] = there[0]

    def probe(self) -> None:
        """Put an empty object and delete it, to see that this is allowed. Raises OutputError."""
        import obstore

        client = client_of(self.prefix, before_work=True)
        try:
            with as_storage_error(self.prefix, OutputError):
                obstore.put(client, PROBE, b"", use_multipart=False)
                obstore.delete(client, PROBE)
        except FileNotFoundError as error:
            raise OutputError(f"{self.prefix}: cannot be written; check the address") from error

    def finish(self, files: Iterable[Path]) -> None:
        """Put the files, in this order. Raises RunError; the same command then puts them again."""
        files = list(files)
        for file in files:
            now = self._look(file.name, RunError)
            if (None if now is None else now[0]) != self.found.get(file.name):
                raise RunError(
                    f"{self.url_of(file)}: changed during the run, so it is not replaced; move it and "
                    "give the same command again"
                )
        for file in files:
            self._put(file)

    def _put(self, file: Path) -> None:
        import obstore

        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
        attributes = {MARK: digest.hexdigest()}
        if file.suffix in CONTENT_TYPES:
            attributes["Content-Type"] = CONTENT_TYPES[file.suffix]
        size, client = file.stat().st_size, client_of(self.prefix)
        url = self.url_of(file)
        try:
            with as_storage_error(url):
                obstore.put(client, file.name, file, attributes=attributes, chunk_size=PART_BYTES)
                there = obstore.head(client, file.name)["size"]
        except FileNotFoundError as error:
            raise RunError(f"{url}: cannot be written; check the address") from error
        if there != size:
            raise RunError(f"{url}: has {there:,} of {size:,} bytes; give the same command again")

    def _look(self, name: str, kind: type[GeochangeError]) -> tuple[Any, Any] | None:
        """The version and the attributes of an object; None without one."""
        import obstore

        url = f"{self.prefix}/{name}"
        try:
            with as_storage_error(url, kind):
                client = client_of(self.prefix, before_work=kind is OutputError)
                answer = obstore.get(client, name, options={"head": True})
                return (answer.meta["e_tag"], answer.meta["last_modified"]), answer.attributes
        except FileNotFoundError:
            return None
