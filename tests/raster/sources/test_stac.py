"""STAC items: the right asset, the date, and one line for what an item must not contain."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rasterio
from makers import UTM, make_raster, noise

from geochange.errors import InputError
from geochange.raster.acquisition import Acquisition
from geochange.raster.sources.resolve import inspect_source
from geochange.raster.sources.stac import LARGEST_BYTES, is_item, resolve_item

GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(folder: Path, assets: Any, **properties: Any) -> Path:
    path = folder / "item.json"
    told = {"type": "Feature", "stac_version": "1.0.0", "properties": properties, "assets": assets}
    path.write_text(json.dumps(told))
    return path


def asset(href: str, **more: Any) -> dict[str, Any]:
    return {"href": href, "type": GEOTIFF, **more}


COLOURS = {
    "B02": asset("B02.tif", **{"eo:bands": [{"name": "B02", "common_name": "blue"}]}),
    "B03": asset("B03.tif", bands=[{"name": "green"}]),
    "B04": asset("B04.tif", **{"eo:bands": [{"common_name": "red"}]}),
    "B08": asset("B08.tif", **{"eo:bands": [{"common_name": "nir"}]}),
    "preview": asset("preview.tif", roles=["overview"]),
    "meta": {"href": "meta.xml", "type": "application/xml"},
}


@pytest.mark.parametrize(
    ("name", "yes"),
    [
        ("item.json", True),
        ("folder/ITEM.JSON#visual", True),
        ("https://host/collections/s2/items/S2A_1", True),
        ("https://host/item.json?token=1#red", True),
        ("https://host/raster.tif", False),
        ("raster.tif", False),
        ("/vsizip/a.zip/b.tif", False),
        ("items/raster.tif", False),
        ("/data/collections/s2/items/b.tif", False),
        ("/data/collections/s2/items/S2A_1", False),
        ("/data/items/*.tif", False),
        ("s3://bucket/items/b.tif", False),
        ("https://host/items/b.TIF", False),
        ("https://host/items/b.tif?token=1", False),
        ("https://host/items/S2A_1#visual", True),
        ("a#b.tif", False),
        ("a#b/item.json", True),
        ("a#b/item.json#visual", True),
        ("x.geojson", True),
    ],
)
def test_what_is_taken_for_an_item(name: str, yes: bool) -> None:
    assert is_item(name) is yes


def test_a_file_that_has_the_name_is_no_item_unless_it_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items").mkdir()
    for name in ("items/b.tif", "items/b", "a.json#b.tif", "a.json#visual", "x#y.tif"):
        (tmp_path / name).write_bytes(b"II*")
        assert not is_item(name) and not is_item(str(tmp_path / name))
    answer = tmp_path / "items" / "S2A_1"
    answer.write_text(json.dumps({"type": "Feature", "assets": {"a": asset("c.tif")}}))
    for name in ("items/S2A_1", str(answer)):
        assert is_item(name)
        assert resolve_item(name).path == str(tmp_path.resolve() / "items" / "c.tif")


def test_an_item_may_lie_in_a_folder_with_signs_and_point_into_items(tmp_path: Path) -> None:
    folder = tmp_path / "a#b + c[1]"
    (folder / "items").mkdir(parents=True)
    for band in "rg":
        make_raster(folder / "items" / f"{band}.tif", noise((8, 9)))
    path = item(folder, {"r": asset("items/r.tif"), "g": asset("./items/g.tif")})
    assert inspect_source(f"{path}#r").path == str(folder.resolve() / "items" / "r.tif")
    assert inspect_source(f"{path}#r,g").grid.shape == (8, 9)


def test_the_visual_asset_comes_first_then_colours_then_the_only_one(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    found = resolve_item(str(item(tmp_path, {**COLOURS, "visual": asset("./TCI.tif")})))
    assert found.path == str(folder / "TCI.tif")
    found = resolve_item(str(item(tmp_path, COLOURS)))
    assert found.path == " + ".join(str(folder / f"B0{n}.tif") for n in (4, 3, 2))
    found = resolve_item(
        str(item(tmp_path, {"image": asset("deep/naip.tif"), "t": COLOURS["meta"]}))
    )
    assert found.path == str(folder / "deep" / "naip.tif")


def test_assets_are_named_behind_a_hash(tmp_path: Path) -> None:
    path = item(tmp_path, COLOURS, datetime="2020-05-06T10:11:12Z")
    found = resolve_item(f"{path}#B08,B04")
    assert [Path(part).name for part in found.path.split(" + ")] == ["B08.tif", "B04.tif"]
    assert found.acquired == Acquisition("2020-05-06T10:11:12", "STAC datetime")
    with pytest.raises(InputError, match="no asset 'B99'; it has B02, B03"):
        resolve_item(f"{path}#B99")


def test_a_range_of_dates_begins_with_its_first(tmp_path: Path) -> None:
    path = item(tmp_path, COLOURS, datetime=None, start_datetime="2020-05-01T00:00:00Z")
    found = resolve_item(str(path))
    assert found.acquired == Acquisition("2020-05-01T00:00:00", "STAC start_datetime")


def test_an_item_is_opened_with_its_date(tmp_path: Path) -> None:
    make_raster(tmp_path / "a_19990101.tif", noise((8, 9, 3)))
    path = item(tmp_path, {"data": asset("a_19990101.tif")}, datetime="2020-05-06T10:11:12Z")
    info = inspect_source(path)
    assert info.data_bands == (1, 2, 3)
    assert info.acquired == Acquisition("2020-05-06T10:11:12", "STAC datetime")
    assert inspect_source(tmp_path / "a_19990101.tif").acquired == Acquisition(
        "1999-01-01", "its name"
    )


def test_hrefs_of_an_address_are_relative_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"type": "Feature", "properties": {}, "assets": {"a": asset("../x/a.tif")}}
    monkeypatch.setattr(
        "geochange.raster.sources.stac._try_fetch", lambda url: json.dumps(told).encode()
    )
    found = resolve_item("https://host/c/items/one")
    assert found.path == "https://host/c/x/a.tif"
    for href in ("s3://bucket/a.tif", "https://other/a.tif?sig=1"):
        told["assets"] = {"a": asset(href)}
        assert resolve_item("https://host/c/items/one").path == href
    for href in ("/etc/passwd", "file:///etc/a.tif", "/vsizip/x.zip/a.tif", "GTI:a.tif", "a.json"):
        told["assets"] = {"a": asset(href)}
        if href.startswith("/"):  # from the server's root
            assert resolve_item("https://host/c/items/one").path == f"https://host{href}"
        else:
            with pytest.raises(InputError, match="points to"):
                resolve_item("https://host/c/items/one")


@pytest.mark.parametrize(
    "href",
    [
        "/etc/a.tif",
        "../outside.tif",
        "file:///etc/a.tif",
        "/vsicurl/http://host/a.tif",
        "item.json",
        "other.json#visual",
        "items/other",
        "<VRTDataset/>",
        "GTI:index.gpkg",
        "javascript:alert(1)",
        "a.tif + /etc/b.tif",
        "a.tif\n/etc/b.tif",
        "",
    ],
)
def test_places_that_an_item_may_not_name(tmp_path: Path, href: str) -> None:
    with pytest.raises(InputError) as refused:
        inspect_source(item(tmp_path, {"a": asset(href)}))
    assert "\n" not in str(refused.value)


def test_a_file_beside_it_may_be_named_in_full(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a b.tif", noise((8, 9, 3)))
    for href in (str(path), f"file://{path}", path.as_uri()):
        assert inspect_source(item(tmp_path, {"a": asset(href)})).path == str(path.resolve())


BROKEN = {
    "[1, 2]": "not a STAC item",
    '{"type": "FeatureCollection", "features": []}': "not a STAC item",
    '{"type": "Catalog", "links": []}': "not a STAC item",
    '{"type": "Feature", "assets": []}': "not a JSON object",
    '{"type": "Feature", "assets": {"a": 7, "b": null}}': "none of its 2 assets",
    '{"type": "Feature", "assets": {"a": {"href": 7}}}': "none of its 1 assets",
    '{"type": "Feature", "assets": {}}': "none of its 0 assets",
    '{"type": "Feature", "assets": {"a": {"href": "a.tif"}, "b": {"href": "b.tif"}}}': "which asset",
    "[" * 100_000: "not JSON",
    "no json": "not JSON",
    "\udcff": "not JSON",
}


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_item(tmp_path: Path, text: str) -> None:
    path = tmp_path / "item.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=BROKEN[text]) as refused:
        inspect_source(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_huge_or_absent_one(tmp_path: Path) -> None:
    path = tmp_path / "item.json"
    with pytest.raises(InputError, match="no such file"):
        inspect_source(path)
    with path.open("wb") as stream:
        stream.truncate(LARGEST_BYTES + 1)
    with pytest.raises(InputError, match="too large"):
        inspect_source(path)


def test_odd_types_where_words_belong(tmp_path: Path) -> None:
    odd = asset("a.tif", roles=[{}, 3], **{"eo:bands": [7]}, bands={"x": 1})
    make_raster(tmp_path / "a.tif", noise((8, 9, 3)))
    path = item(tmp_path, {"a": odd}, datetime=["2020"], start_datetime={})
    assert inspect_source(path).acquired is None
    path.write_text(json.dumps({"type": "Feature", "properties": 3, "assets": {"a": odd}}))
    assert inspect_source(path).data_bands == (1, 2, 3)


@pytest.mark.parametrize("name", ["a.vrt", "a.tif"])
def test_an_asset_that_names_other_files_is_refused_whatever_it_is_called(
    tmp_path: Path, name: str
) -> None:
    make_raster(tmp_path / "secret.tif", noise((8, 9)))
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / name).write_text(
        '<VRTDataset rasterXSize="9" rasterYSize="8"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{tmp_path}/secret.tif</SourceFilename>"
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    path = item(tmp_path / "items", {"a": asset(name)})
    with pytest.raises(InputError, match="is not an image") as caught:
        inspect_source(path)
    assert "\n" not in str(caught.value)


def test_a_secret_is_not_sent_to_the_host_of_an_asset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(item(tmp_path, {"a": asset("https://elsewhere.example/a.tif")}))
    assert resolve_item(path).path == "https://elsewhere.example/a.tif"
    monkeypatch.setenv("GDAL_HTTP_HEADERS", "X-Api-Key: secret")
    with pytest.raises(InputError, match="GDAL_HTTP_HEADERS would be sent there too"):
        resolve_item(path)


@pytest.mark.parametrize(
    "href",
    ["a" * 100_000 + ".tif", "a\0b.tif", "a\nb.tif", "", "\x1b[2J.tif", "http://[", "//["],
)
def test_hrefs_that_are_none(tmp_path: Path, href: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = item(tmp_path, {"a": {**asset("x.tif"), "href": href}, "b": {"href": href}})
    with pytest.raises(InputError):
        resolve_item(str(path))  # which of them is a raster is looked for, too
    path = item(tmp_path, {"a": {**asset("x.tif"), "href": href}})
    body = path.read_bytes()
    monkeypatch.setattr("geochange.raster.sources.stac._try_fetch", lambda url: body)
    with pytest.raises(InputError):
        resolve_item("https://host/c/items/one")
    with pytest.raises(InputError) as caught:
        resolve_item(str(path))
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def reading_secret(folder: Path) -> str:
    """The text of a virtual raster over a file elsewhere on this machine."""
    make_raster(folder / "secret.tif", noise((8, 9)))
    return (
        f'<VRTDataset rasterXSize="9" rasterYSize="8"><SRS>{UTM.to_string()}</SRS>'
        "<GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{folder}/secret.tif</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def test_a_picture_that_gdal_also_takes_for_a_virtual_raster_is_refused(tmp_path: Path) -> None:
    (tmp_path / "items").mkdir()
    path = make_raster(tmp_path / "items" / "a.jpg", noise((8, 9, 3)), driver="JPEG")
    comment = reading_secret(tmp_path).encode().ljust(0x2020 - 2)
    start, rest = path.read_bytes()[:2], path.read_bytes()[2:]
    path.write_bytes(start + b"\xff\xfe\x20\x20" + comment + rest)
    with rasterio.open(path) as virtual:
        assert virtual.driver == "VRT", "GDAL does not take it for one: another trick is needed"
    with pytest.raises(InputError, match="is not an image"):
        inspect_source(item(tmp_path / "items", {"a": asset("a.jpg")}))


@pytest.mark.parametrize("href", ["*.tif", "a.gti.gpkg", "sub/[a].tif", "a.gti"])
def test_an_item_names_no_set_of_tiles(tmp_path: Path, href: str) -> None:
    (tmp_path / "items").mkdir()
    # By a pattern, a virtual raster would be opened like any other tile.
    (tmp_path / "items" / "a.tif").write_text(reading_secret(tmp_path))
    with pytest.raises(InputError, match="points to"):
        inspect_source(item(tmp_path / "items", {"a": asset(href)}))


def test_an_address_of_an_item_is_known_in_capitals_too(tmp_path: Path) -> None:
    path = str(item(tmp_path, {"a": asset("HTTPS://host/a.tif")}))
    assert resolve_item(path).path == "https://host/a.tif"
    for name in ("a.gti.fgb", "a.gti"):
        path = str(item(tmp_path, {"a": asset(f"https://host/{name}")}))
        with pytest.raises(InputError, match="points to"):
            resolve_item(path)


@pytest.mark.slow
def test_an_item_is_looked_into_before_anything_else_was_opened(tmp_path: Path) -> None:
    """GDAL registers its drivers when rasterio is first asked for something."""
    make_raster(tmp_path / "a.tif", noise((8, 9)))
    path = item(tmp_path, {"a": asset("a.tif")})
    code = (
        "import sys; from geochange.raster.sources.stac import resolve_item; "
        "print(resolve_item(sys.argv[1]).path)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == str(tmp_path.resolve() / "a.tif")
