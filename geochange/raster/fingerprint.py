"""Fingerprints of rasters. They show whether a raster has changed since an earlier run."""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from geochange.errors import InputError, RunError
from geochange.files.archives import file_on_disk
from geochange.raster.access import retry
from geochange.raster.access.http import http_fetch
from geochange.raster.reader import RasterInfo, inspect_raster
from geochange.raster.sources.band_stack import is_stack
from geochange.raster.sources.band_stack import stack_files as stacked
from geochange.raster.sources.tile_set import is_tileset, tiles_of
from geochange.raster.sources.vrt import mask_files
from geochange.storage.object_client import version_of_object

IGNORED_SIDECARS = (".aux.xml", ".ovr")
"""Suffixes of statistics and overviews, which QGIS writes. They do not change any pixel."""


_WEB = re.compile(r"^(/vsicurl/)?(?=https?://)")
_BUCKET = re.compile(r"(?:(s3|gs|az)://|/vsi(s3|gs|az)/)")
_COMPLEX = (".vrt", ".gti")


def fingerprint_of(info: RasterInfo) -> list[Any]:
    """Values for JSON that differ if the raster changes: its files and its metadata.

    A local file has its size and time. A file on a web server has the headers of a HEAD request, an
    object of a bucket its version if obstore is installed. For other locations only the address counts.
    Raises RunError if a server does not answer.
    """
    place = [info.grid.crs.to_wkt(), list(info.grid.transform)[:6], list(info.grid.shape)]
    # As text, because NaN does not equal itself.
    said = [
        [str(band.dtype), repr(band.nodata), band.mask, band.role, list(band.fills)]
        for band in info.bands
    ]
    return [info.path, place, said, *(_stamp(file) for file in files_of(info))]


def files_of(info: RasterInfo) -> list[str]:
    """All files of a raster, also through nested VRTs. Its path if GDAL lists none.

    Files of a pattern or an index are listed anew, because an added file changes the raster.
    """
    found: dict[str, None] = {}
    left = [info.path, *info.files]
    while left:
        file = left.pop(0)
        if file in found or file.endswith(IGNORED_SIDECARS):
            continue
        found[file] = None
        if is_stack(file):
            left += stacked(file)
        elif is_tileset(file):
            left += tiles_of(file)
        if Path(f"{file}.msk").is_file():  # a mosaic does not list masks of its files
            left.append(f"{file}.msk")
        if file.endswith(".vrt"):
            left += mask_files(file)
        if file.endswith(_COMPLEX) and file != info.path:
            try:
                left += inspect_raster(file).files
            except InputError:  # missing, or not a raster; its stamp is enough
                continue
    return list(found)


def size_of_files(info: RasterInfo) -> int | None:
    """The size in bytes of all files of a raster; None if a file is not on this machine."""
    # Names of stacks and tile sets are not files themselves.
    return size_of(file for file in files_of(info) if not (is_stack(file) or is_tileset(file)))


def size_of(files: Iterable[str]) -> int | None:
    """The size in bytes of files with GDAL names; None if a file is not on this machine."""
    found = [_local(file) for file in files]
    return None if None in found else sum(path.stat().st_size for path in found if path)


def _stamp(path: str) -> list[Any]:
    if _WEB.match(path):
        return [path, *_remote_stamp(_WEB.sub("", path))]
    bucket = _BUCKET.match(path)
    if bucket is not None:
        scheme = bucket[1] or bucket[2]
        return [path, *version_of_object(f"{scheme}://{path[bucket.end() :]}")]
    local = _local(path)
    if local is None:
        return [path]
    status = os.stat(local)
    return [path, status.st_size, status.st_mtime_ns]


def _local(path: str) -> Path | None:
    """The file on disk for a GDAL name. For a file in an archive, the archive."""
    return next((p for p in (file_on_disk(path), *_files_on_disk(path)) if p.is_file()), None)


def _files_on_disk(path: str) -> tuple[Path, ...]:
    inner = re.sub(r"^(/vsi(zip|tar|gzip|7z|rar|subfile[^/]*)/+|(zip|tar|gzip|file)://)", "/", path)
    plain = Path(inner.replace("!", "/"))
    return (plain, *plain.parents) if inner != path else ()


def _remote_stamp(url: str) -> list[Any]:
    """The size and the ETag, or the time, of a file on a server; empty if the server refuses.

    Raises RunError if the server does not answer.
    """
    fault = _head_request(url)
    if isinstance(fault, OSError):
        for _ in retry.retry_pauses():
            fault = _head_request(url)
            if not isinstance(fault, OSError):
                break
    if isinstance(fault, OSError):
        raise RunError(f"{url}: does not answer ({fault}), asked {retry.TRIES} times") from fault
    return fault


def _head_request(url: str) -> list[Any] | OSError:
    """One HEAD request: [] if the server refuses, an error if a later request may succeed."""
    try:
        headers = {
            name.lower(): value for name, value in http_fetch(url, 0, "HEAD").headers.items()
        }
        return [headers.get("content-length"), headers.get("etag") or headers.get("last-modified")]
    except urllib.error.HTTPError as error:
        # GDAL may have other access to the file, such as a signed URL. Here the answer stays empty.
        return error if error.code in (408, 425, 429) or error.code >= 500 else []
    except (http.client.InvalidURL, ValueError):
        return []
    except http.client.HTTPException as error:
        return ConnectionError(str(error) or type(error).__name__)
    except OSError as error:
        return error
