"""Vector formats that are read: their suffixes, and how GDAL opens them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from geochange.errors import InputError
from geochange.files.archives import Member, file_on_disk, kind_of, list_names, members_of, split
from geochange.vector.files.ogr_name import ogr_name

DRIVERS: Mapping[str, str] = {
    ".gpkg": "GPKG",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".geojsonl": "GeoJSONSeq",
    ".geojsons": "GeoJSONSeq",
    ".fgb": "FlatGeobuf",
    ".shp": "ESRI Shapefile",
    ".shz": "ESRI Shapefile",
    ".kml": "LIBKML",
    ".kmz": "LIBKML",
    ".gml": "GML",
    ".tab": "MapInfo File",
    ".mif": "MapInfo File",
    ".gdb": "OpenFileGDB",
}
"""GDAL's driver of each format, by suffix. A .zip with one of them is read, too."""

VECTORS = (*DRIVERS, ".zip")
"""Suffixes of files that are read as polygons."""

OTHERS: Mapping[str, str] = {
    ".parquet": "GeoParquet",
    ".geoparquet": "GeoParquet",
    ".dxf": "a drawing",
    ".dwg": "a drawing",
    ".gpx": "a track",
    ".csv": "a table",
    ".dbf": "the table of a shapefile",
    ".shx": "the index of a shapefile",
    ".prj": "the CRS of a shapefile",
    ".topojson": "TopoJSON",
    ".sqlite": "a database",
}
"""Suffixes of vector files that are not supported, with a description."""


def is_vector(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds polygons, by its name or by the files in an archive."""
    path = Path(path)
    suffix = _suffix(path)
    if suffix == ".zip" and split(str(path)) is None:
        return path.is_file() and bool(_layers_in(path))
    return suffix in DRIVERS or suffix in OTHERS


def gdal_dataset_name(path: str | os.PathLike[str]) -> str:
    """The name under which pyogrio opens a vector file.

    Raises InputError for a format that is not supported, and for an archive without exactly one file of
    polygons.
    """
    path = Path(path)
    suffix, inside = _suffix(path), member_of(path)
    if suffix in OTHERS:
        raise InputError(
            f"{path}: is {OTHERS[suffix]}, which is not supported; give polygons as {', '.join(VECTORS)}"
        )
    if inside is not None:
        return inside.gdal_name
    # /vsisubfile/ keeps GDAL from writing its .gfs file beside a GML.
    name = path.absolute()  # a relative path may look like a URI
    return f"/vsisubfile/0,{name}" if suffix == ".gml" else str(name)


def member_of(path: Path) -> Member | None:
    """The file in an archive that a path means. None for a path without an archive.

    Raises InputError for an archive without exactly one file of polygons.
    """
    if _suffix(path) == ".zip" and split(str(path)) is None and path.is_file():
        return Member("zip", path.absolute(), _only_layer(path))
    return split(str(path))


@contextmanager
def readable_name(path: str | os.PathLike[str]) -> Iterator[str]:
    """The name under which pyogrio opens a vector file, whatever characters its path holds.

    Raises as `gdal_dataset_name`.
    """
    with ogr_name(Path(path)) as plain, warnings.catch_warnings():
        # GDAL warns that it cannot save the .gfs file of a GML, which is intended.
        warnings.filterwarnings("ignore", message="GFS file saving", category=RuntimeWarning)
        yield gdal_dataset_name(plain)


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether a file exists, or the archive that holds it."""
    return file_on_disk(path).exists()


def _suffix(path: Path) -> str:
    return path.suffix.lower()


def _only_layer(archive: Path) -> str:
    found = _layers_in(archive)
    if len(found) == 1:
        return found[0]
    if not found:
        held = list_names(list(members_of(archive))) or "nothing"
        raise InputError(
            f"{archive}: holds no polygons, only {held}; give them as {', '.join(DRIVERS)}"
        )
    names = [Member("zip", archive.absolute(), name).gdal_name for name in found]
    raise InputError(
        f"{archive}: holds {len(found)} files of polygons; name one: {list_names(names)}"
    )


def _layers_in(archive: Path) -> list[str]:
    """The vector files in a zip archive. A geodatabase is the folder of its tables."""
    if kind_of(archive) != "zip":
        return []
    names = list(dict.fromkeys(_without_tables(members_of(archive))))
    # A .json file beside others may be metadata.
    return [
        name
        for name in names
        if _suffix(Path(name)) in DRIVERS
        and (len(names) == 1 or not name.lower().endswith(".json"))
    ]


def _without_tables(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        folder, is_inside, _ = name.partition(".gdb/")
        yield f"{folder}.gdb" if is_inside else name
