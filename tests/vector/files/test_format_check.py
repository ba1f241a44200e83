"""Vector files that are not what their names say, plain and in archives."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pyogrio
import pytest
from polygon_files import ROWS, make_polygons, square, with_view

from geochange.errors import InputError
from geochange.vector.files import sqlite_views
from geochange.vector.files.format_check import refuse_other_driver
from geochange.vector.files.formats import DRIVERS
from geochange.vector.files.polygon_reader import find_layer

FILES = [suffix for suffix in DRIVERS if suffix not in (".gdb", ".shz", ".kmz", ".shp")]
"""Formats whose files are neither folders nor archives. A .shp has its length in its header."""


def virtual(path: Path, source: Path) -> Path:
    path.write_text(
        '<!-- --><OGRVRTDataSource><OGRVRTLayer name="area"><SrcDataSource>'
        f"{source}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    return path


def zipped(path: Path) -> Path:
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(path, path.name)
    return archive


@pytest.mark.parametrize("suffix", FILES)
@pytest.mark.parametrize("place", ["plain", "archive"])
def test_a_virtual_source_is_refused_whatever_it_is_called(
    tmp_path: Path, suffix: str, place: str
) -> None:
    source = make_polygons(tmp_path / "secret.gpkg", [square(1, 1, 5)], layer="area")
    path = virtual(tmp_path / f"area{suffix}", source)
    assert pyogrio.read_info(path)["features"] == 1, "GDAL does not follow it"
    with pytest.raises(InputError, match="may name other files; export its polygons as a GeoPack"):
        find_layer(path if place == "plain" else zipped(path))


@pytest.mark.parametrize("name", ["a.json", "a.gdalg.json"])
def test_a_pipeline_of_gdal_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    command = "" if "gdalg" in name else "gdal_streamed_alg"
    path.write_text(f'{{"type": "{command}", "command_line": "gdal vector pipeline ! read x"}}')
    with pytest.raises(InputError, match="may name other files"):
        find_layer(path)


@pytest.mark.filterwarnings("ignore:.*non conformant file extension")
@pytest.mark.parametrize("place", ["plain", "archive"])
def test_a_database_under_another_name_is_refused(tmp_path: Path, place: str) -> None:
    source = make_polygons(tmp_path / "area.gpkg", [square(1, 1, 5)])
    path = Path(shutil.copy(source, tmp_path / "area.geojson"))
    assert pyogrio.read_info(path)["driver"] == "GPKG"
    with pytest.raises(InputError, match=r"is a database, .*; rename it to \.gpkg"):
        find_layer(path if place == "plain" else zipped(path))


@pytest.mark.slow
def test_a_query_without_end_is_found_in_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_views, "MOST_STEPS", 3_000_000)
    assert find_layer(zipped(make_polygons(tmp_path / "a.gpkg", [square(1, 1, 5)]))).features == 1
    archive = zipped(
        with_view(tmp_path / "area.gpkg", f"{ROWS}SELECT x AS fid, NULL AS geom FROM r")
    )
    with pytest.raises(InputError, match=r"area\.zip: area is no table but a query, which takes"):
        find_layer(archive)


def test_other_drivers_are_refused_by_their_name(tmp_path: Path) -> None:
    for driver in {*DRIVERS.values(), "KML"}:
        refuse_other_driver(tmp_path / "a.kml", {"driver": driver})
    with pytest.raises(InputError, match=r"a\.kml: is WFS under another name"):
        refuse_other_driver(tmp_path / "a.kml", {"driver": "WFS"})
