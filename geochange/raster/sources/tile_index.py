"""Tile indexes: files of polygons, each with the name of the raster that lies there (gdaltindex)."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from geochange.errors import InputError
from geochange.raster.access.remote import is_remote
from geochange.vector.files.complete_files import require_readable

LOCATION = "location"
"""The field of a tile index that names the files."""

LARGEST_BYTES = 1_000_000
"""Of a .gti file."""

_INDEX = re.compile(r"^GTI:|\.gti(\.(gpkg|fgb|shp|geojson|parquet))?$", re.IGNORECASE)

ALLOWED_ELEMENTS = {
    *("IndexDataset", "SRS", "ResX", "ResY", "BandCount", "Band"),
    *("MinX", "MinY", "MaxX", "MaxY", "DataType", "ColorInterp", "BlockXSize", "BlockYSize"),
}
"""What a .gti file may say: where its index is, and what the tiles say themselves."""


def is_index(path: str) -> bool:
    """Whether a name is that of a tile index: GTI:FILE, .gti or .gti.gpkg."""
    return _INDEX.search(path) is not None


def indexed_files(index: str) -> list[str]:
    """The files that an index lists, in its order. Raises InputError."""
    import pyogrio  # imports geopandas, and few rasters have an index

    from geochange.vector.files.polygon_reader import UNREADABLE

    _refuse_remote(index)
    if index.lower().endswith(".gti"):
        index = _index_of(Path(index))
        _refuse_remote(index)
    if Path(index).exists():
        require_readable(Path(index))
    try:
        about, _, _, values = pyogrio.raw.read(index, read_geometry=False)
    except UNREADABLE as error:
        raise InputError(f"{index}: not a readable tile index; make it with gdaltindex") from error
    if LOCATION not in about["fields"]:
        raise InputError(f"{index}: has no field {LOCATION!r}; make it with gdaltindex")
    locations = values[list(about["fields"]).index(LOCATION)]
    found = [_resolve_location(index, str(location)) for location in locations if location]
    if not found:
        raise InputError(f"{index}: lists no tile; make it with gdaltindex")
    return found


def _refuse_remote(index: str) -> None:
    """Refuse an index on a server: it could name files of this machine. Raises InputError."""
    if is_remote(index):
        raise InputError(
            f"{index}: a tile index on a server could name files of this machine; fetch it, look "
            "into it, and name it here"
        )


def _index_of(file: Path) -> str:
    """The index that a .gti file names. Raises InputError."""
    try:
        said = ET.fromstring(file.read_bytes()[:LARGEST_BYTES])
    except (OSError, ET.ParseError) as error:
        raise InputError(f"{file}: not a readable .gti file; name the index itself") from error
    odd = {child.tag for child in said} - ALLOWED_ELEMENTS
    index = said.findtext("IndexDataset")
    if odd or not index:
        why = f"uses {sorted(odd)[0]}, which is not supported" if odd else "names no IndexDataset"
        raise InputError(f"{file}: {why}; name the index itself, as GTI:index.gpkg")
    return _resolve_location(str(file), index)


def _resolve_location(index: str, location: str) -> str:
    """A path in an index is from the index, or else from here."""
    beside = Path(index).parent / location
    return str(beside) if beside.exists() else location
