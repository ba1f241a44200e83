"""Vector formats: each row of the table is read as polygons, under any file name."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from makers import LONLAT, UTM
from polygon_files import grid_of, make_polygons, square

from geochange.errors import InputError
from geochange.files.archives import gdal_name
from geochange.grid.tiling import Window
from geochange.vector.aoi import read_aoi
from geochange.vector.files.formats import (
    DRIVERS,
    OTHERS,
    VECTORS,
    exists,
    gdal_dataset_name,
    is_vector,
)
from geochange.vector.files.polygon_reader import Burner, find_layer, read_outlines

SHAPE = (30, 40)
GRID = grid_of(SHAPE)
DRAWN = np.zeros(SHAPE, bool)
DRAWN[2:14, 3:23] = True


def make(path: Path, driver: str | None = None) -> Path:
    """A file with one square, by the driver of its suffix."""
    columns = {"kind": ["x"]}
    aside = make_polygons(path.parent / "aside.gpkg", [square(2, 3, 12, 20)], UTM, columns=columns)
    table = gpd.read_file(aside).to_crs(LONLAT)
    aside.unlink()
    table.to_file(path, driver=driver or DRIVERS[path.suffix.lower()])
    return path


def pixels(path: Path) -> np.ndarray:
    return Burner(read_outlines(find_layer(path), GRID)).burn(Window(0, 0, *SHAPE))


def zipped(folder: Path, stem: str, archive: Path) -> Path:
    """All files of a stem, in a folder of the archive."""
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.glob(f"{stem}.*")):
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                opened.write(file, f"in/{file.relative_to(folder)}")
    return archive


@pytest.mark.slow
@pytest.mark.parametrize("suffix", DRIVERS)
def test_every_format_is_read_as_labels_and_as_an_area(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"drawn{suffix}")
    assert is_vector(path) and is_vector(str(path).upper())
    before = sorted(path.parent.iterdir())
    np.testing.assert_array_equal(pixels(path), DRAWN)
    np.testing.assert_array_equal(read_aoi(path, GRID).mask(GRID.full_window), DRAWN)
    assert sorted(path.parent.iterdir()) == before, "reading leaves nothing behind"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [s for s in DRIVERS if s not in (".shz", ".kmz")])
@pytest.mark.parametrize("ending", [".zip", "{suffix}.zip"])
def test_every_format_is_read_from_a_zip(tmp_path: Path, suffix: str, ending: str) -> None:
    (tmp_path / "plain").mkdir()
    make(tmp_path / "plain" / f"drawn{suffix}")
    archive = zipped(tmp_path / "plain", "drawn", tmp_path / f"drawn{ending.format(suffix=suffix)}")
    assert is_vector(archive)
    np.testing.assert_array_equal(pixels(archive), DRAWN)
    member = f"in/drawn{suffix}"
    for name in (f"/vsizip/{archive}/{member}", f"zip://{archive}!{member}"):
        inside = Path(gdal_name(name))
        assert is_vector(inside) and exists(inside)
        np.testing.assert_array_equal(pixels(inside), DRAWN)
    assert find_layer(archive).key == find_layer(archive).key


@pytest.mark.filterwarnings("error")
def test_a_gml_without_its_schema_is_read_without_a_word_and_leaves_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "drawn.gml")
    path.with_suffix(".xsd").unlink()
    np.testing.assert_array_equal(pixels(path), DRAWN)
    assert list(tmp_path.iterdir()) == [path]


NAMES = ("a!b", "a;b", "a#b", "a b", " a", "a?b", "a*b", "a[1]", "a+b", "a:b", "a\nb", "zip:a", "ä")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".kml", ".tab", ".gml"])
def test_signs_in_a_name_are_a_part_of_it(tmp_path: Path, name: str, suffix: str) -> None:
    (tmp_path / "plain").mkdir()
    make(tmp_path / "plain" / f"drawn{suffix}")
    for file in (tmp_path / "plain").iterdir():
        shutil.copy(file, tmp_path / f"{name}{file.suffix}")
    np.testing.assert_array_equal(pixels(tmp_path / f"{name}{suffix}"), DRAWN)


@pytest.mark.slow
def test_several_files_in_an_archive_are_listed_and_each_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    make(tmp_path / "plain" / "one.geojson")
    make(tmp_path / "plain" / "two.geojson")
    archive = zipped(tmp_path / "plain", "*", tmp_path / "both.zip")
    with pytest.raises(InputError, match="holds 2 files of polygons; name one: ") as refused:
        find_layer(archive)
    for name in str(refused.value).partition("name one: ")[2].split(", "):
        np.testing.assert_array_equal(pixels(Path(name)), DRAWN)


def test_an_archive_without_polygons_is_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
        archive.writestr("about.json", "{}")
    assert not is_vector(tmp_path / "a.zip")
    with pytest.raises(InputError, match=r"holds no polygons, only readme\.txt, about\.json"):
        gdal_dataset_name(tmp_path / "a.zip")


@pytest.mark.parametrize("suffix", OTHERS)
def test_formats_that_are_not_read_are_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert is_vector(path)
    with pytest.raises(
        InputError, match=r"which is not supported; give polygons as \.gpkg"
    ) as refused:
        find_layer(path)
    assert ", ".join(VECTORS) in str(refused.value)


def test_rasters_are_no_vectors(tmp_path: Path) -> None:
    for name in ("a.tif", "a.json.tif", "a", "a.png", "gone.zip"):
        assert not is_vector(tmp_path / name)
