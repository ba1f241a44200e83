"""Explains why a raster cannot be opened, in one line with a cure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from rasterio.env import Env

from geochange.errors import one_line
from geochange.files.archives import Member, kind_of, list_names, members_of, split
from geochange.raster.access import retry
from geochange.raster.access.remote import is_remote, is_transient

MAGIC_BYTES: Mapping[bytes, str] = {
    b"\x0e\x03\x13\x01": "HDF4",
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"CDF\x01": "netCDF",
    b"CDF\x02": "netCDF",
    b"CDF\x05": "netCDF",
    b"GRIB": "GRIB",
    b"\x00\x00\x00\x0cjP  ": "JP2OpenJPEG",
    b"msid": "MrSID",
    b"SIMPLE  =": "FITS",
    b"SDPX": "DPX",
}
"""First bytes of files, and the GDAL driver that reads them. Some builds of GDAL lack a driver."""

SUFFIXES: Mapping[str, str] = {".ecw": "ECW", ".sid": "MrSID", ".kea": "KEA", ".jxl": "JPEGXL"}
"""Suffixes of other formats, and their GDAL driver."""


_HDF = re.compile(r"(^|/)(netcdf|hdf[45]):|\.(nc4?|hdf[45]?|h[45]|he5)\b", re.IGNORECASE)
"""Names of files in HDF5, HDF4 and netCDF. On servers they are not opened; see `self_contained_files`."""

_DRIVE = re.compile(r"^[A-Za-z]:(?=[/\\])")
"""A drive of Windows: no name of a GDAL driver is so short."""


def explain_open_failure(path: str, error: Exception) -> str:
    """The error text for a raster that GDAL does not open."""
    if not path:
        return "an empty text names no raster; name its file"
    if os.path.exists(path):
        return f"{path}: {_explain_file(Path(path))}"
    inside = split(path)
    if inside is not None:
        return f"{path}: {_explain_archive_member(inside)}"
    if not path.startswith("/vsi") and (path.startswith("/") or ":" not in _DRIVE.sub("", path)):
        return f"{path}: no such file; check the path"
    _, _, place = path.partition("://")
    kind = kind_of(place.partition("?")[0])
    if kind in ("zip", "tar") and "!" not in place:
        return (
            f"{path}: is an archive on a server; name the raster in it ({kind}+{path}!FILE.tif), or "
            "fetch it"
        )
    if is_remote(path) and _HDF.search(path):
        return (
            f"{path}: is HDF or netCDF, which may name files of this machine, so it is not opened on "
            "a server; fetch it and name the copy"
        )
    reason = one_line(error)
    tried = f", tried {retry.TRIES} times" if is_transient(path, error) else ""
    return f"{path}: cannot be opened ({reason}{tried}); check the address and your access to it"


def _explain_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder; name the raster in it"
    if path.stat().st_size == 0:
        return "the file is empty; fetch or export it again"
    if not os.access(path, os.R_OK):
        return "no permission to read it; check its access rights"
    driver = _driver_of(path)
    if driver is not None and driver not in gdal_drivers():
        return (
            f"is {driver}, and GDAL here is built without that driver; convert it to a GeoTIFF "
            "where it has one (QGIS: Raster > Conversion > Translate)"
        )
    return "not a raster GDAL can read; give a GeoTIFF or another georeferenced raster"


def gdal_drivers() -> set[str]:
    """The drivers in this build of GDAL."""
    with Env() as gdal:
        return set(gdal.drivers())


def _driver_of(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(16)
    by_start = (driver for text, driver in MAGIC_BYTES.items() if start.startswith(text))
    return next(by_start, SUFFIXES.get(path.suffix.lower()))


def _explain_archive_member(member: Member) -> str:
    if member.kind == "gzip":
        return "holds no raster that GDAL can read; unpack it and check"
    names = members_of(member.archive)
    if member.name in names:
        return "not a raster GDAL can read; name another file of the archive"
    return f"there is no such file in {member.archive.name}; it holds {list_names(list(names)) or 'none'}"
