"""Tile indexes: what they may list, and from where they may come."""

from __future__ import annotations

from pathlib import Path

import pytest
from limited_process import call_limited, command
from makers import make_raster, noise
from polygon_files import make_polygons, square

from geochange.errors import InputError
from geochange.raster.reader import inspect_raster
from geochange.raster.sources.tile_index import indexed_files, is_index


def make_index(path: Path, *locations: str) -> Path:
    return make_polygons(
        path, [square(0, 0, 8)] * len(locations), columns={"location": list(locations)}
    )


def test_files_are_named_from_the_index_or_from_here(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", noise((8, 9)))
    index = make_index(tmp_path / "i.gti.gpkg", "a.tif", "/elsewhere/b.tif", "https://host/c.tif")
    assert is_index(str(index)) and is_index(f"GTI:{index}") and not is_index("a.tif")
    found = [str(tmp_path / "a.tif"), "/elsewhere/b.tif", "https://host/c.tif"]
    assert indexed_files(str(index)) == found
    (tmp_path / "i.gti").write_text("<I><IndexDataset>i.gti.gpkg</IndexDataset></I>")
    assert indexed_files(str(tmp_path / "i.gti")) == found


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"file": ["a.tif"]}, "has no field 'location'; make it with gdaltindex"),
        ({"location": [""]}, "lists no tile; make it with gdaltindex"),
    ],
)
def test_an_index_that_names_no_file_is_refused(
    columns: dict[str, list[str]], says: str, tmp_path: Path
) -> None:
    index = make_polygons(tmp_path / "i.gti.gpkg", [square(0, 0, 8)], columns=columns)
    with pytest.raises(InputError, match=says):
        indexed_files(str(index))


REMOTE = {
    *("https://host/i.gti.gpkg", "GTI:https://host/i.parquet", "GTI:/vsicurl/https://host/i.fgb"),
    *("s3://bucket/i.gti.fgb", "HTTPS://host/i.gti", "GTI:/vsis3/bucket/i.gpkg"),
    *("GTI:/vsizip//vsicurl/https://host/a.zip/i.gpkg", "zip+https://host/a.zip!i.gti.gpkg"),
}


@pytest.mark.parametrize("name", sorted(REMOTE))
def test_an_index_on_a_server_is_not_even_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object, **__: object) -> None:
        raise AssertionError("a server was asked")

    monkeypatch.setattr("pyogrio.raw.read", ask)
    with pytest.raises(InputError, match="could name files of this machine; fetch it") as caught:
        inspect_raster(name)
    assert "\n" not in str(caught.value)
    through = tmp_path / "here.gti"
    place = name.removeprefix("GTI:")
    through.write_text(f"<I><IndexDataset>{place}</IndexDataset></I>")
    with pytest.raises(InputError, match="could name files of this machine"):
        inspect_raster(str(through))


@pytest.mark.slow
@pytest.mark.parametrize("lists", ["i.gti.gpkg", "GTI:i.gti.gpkg", "a.tif + i.gti.gpkg", "*.tif"])
def test_an_index_that_lists_an_index_is_refused(
    lists: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lists itself would be opened without end, in eight threads for each time."""
    monkeypatch.chdir(tmp_path)
    make_raster(tmp_path / "a.tif", noise((8, 9)))
    make_index(tmp_path / "i.gti.gpkg", "a.tif", lists)
    outcome = call_limited(command, "check", str(tmp_path / "i.gti.gpkg"), "a.tif", memory_mb=1000)
    code, _, said = outcome.value
    assert (code, said.count("\n")) == (2, 1)
    assert "which is no tile; list rasters alone" in said
