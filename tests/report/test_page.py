"""The report of a run: its facts are true, texts are escaped, and its STAC item is valid."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from jsonschema import Draft7Validator
from makers import LONLAT, NORTH_UP, UTM, make_raster, texture
from numpy.typing import NDArray
from PIL import Image
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry, Resource
from report_pages import PageReader

from geochange import detect
from geochange.cli.main import cli
from geochange.errors import OptionError, OutputError
from geochange.workflows.detect import Result

pytestmark = pytest.mark.slow

SIZE = 300
HOSTILE = "<script>alert(\"1\")</script> & 'x' {{ 7*7 }}"


def make_pair(folder: Path, **where: Any) -> tuple[Path, Path]:
    """Texture at two dates; a 40 x 60 and a 20 x 20 change, and a corner without data."""
    folder.mkdir(parents=True, exist_ok=True)
    before = texture(SIZE).clip(1, 255).astype(np.uint8)
    after = before.copy()
    after[100:140, 50:110] = 255 - after[100:140, 50:110]
    after[200:220, 200:220] += 128
    after[:30, :30] = 0
    made = [
        make_raster(folder / f"{name}.tif", pixels, nodata=0, **where)
        for name, pixels in (("before", before), ("after", after))
    ]
    for path, when in zip(made, ("2015:06:01 10:30:00", "2021:07:02 11:00:00"), strict=True):
        with rasterio.open(path, "r+") as raster:
            raster.update_tags(TIFFTAG_DATETIME=when)
    return made[0], made[1]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("report")
    return detect(*make_pair(folder), folder / "changes.gpkg", model="cva")


def facts_of(tmp_path: Path, **options: Any) -> tuple[Result, dict[str, Any]]:
    result = detect(
        *make_pair(tmp_path), tmp_path / "changes.gpkg", report="json", **options, model="cva"
    )
    assert result.report is not None
    return result, json.loads(result.report.read_text("utf-8"))


def read_page(path: Path) -> PageReader:
    return PageReader(path.read_text("utf-8"))


def test_the_page_says_what_the_table_holds(ran: Result) -> None:
    changes = gpd.read_file(ran.out, layer="changes")
    assert ran.report == ran.out.with_suffix(".html")
    text = read_page(ran.report).text
    seen_m2 = (SIZE**2 - 30 * 30) * 100 / 0.9996**2
    assert f"changed {ran.changed_m2 / 1e4:,.2f} ha" in text
    assert f"{100 * ran.changed_m2 / seen_m2:.2f} %" in text
    assert f"polygons {len(changes)}" in text
    assert "1 June 2015" in text and "2 July 2021" in text
    assert "WGS 84 / UTM zone 32N (EPSG:32632)" in text
    for number in changes.nlargest(10, "confidence_mean")["id"]:
        assert f"No. {number}" in text
    for stage in ("look at the scene", "infer, stitch and trace", "draw and write polygons"):
        assert stage in text


def test_the_page_asks_the_network_for_nothing(ran: Result) -> None:
    assert ran.report is not None
    page = read_page(ran.report)
    assert not {"link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    loaded = [a for tag, a in page.tags if tag in ("img", "source", "image", "use", "video")]
    assert len(loaded) == 4 + 4 * min(10, ran.polygons)
    assert all(str(a["src"]).startswith("data:image/") and "alt" in a for a in loaded)
    # Those that may be clicked stay on the page or lie beside it.
    links = [str(a["href"]) for tag, a in page.tags if tag == "a"]
    beside = ("#scene", "changes.", "https://www.openstreetmap.org/?mlat=")
    assert all(link.startswith(beside) for link in links)
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    source = ran.report.read_text("utf-8")
    assert "@import" not in source and "url(" not in source
    (policy,) = (a["content"] for t, a in page.tags if a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")


def test_nothing_from_outside_becomes_html(tmp_path: Path) -> None:
    before, after = make_pair(tmp_path / HOSTILE.replace("/", "\N{DIVISION SLASH}"))
    out = tmp_path / f"{HOSTILE.replace('/', '')}.gpkg"
    result = detect(before, after, out, model="cva")
    assert result.report is not None
    page = read_page(result.report)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    assert "alert" not in page.plain["script"]
    assert "alert" in page.text and "{{ 7*7 }}" in page.text
    links = [str(a["href"]) for tag, a in page.tags if tag == "a"]
    files = [link for link in links if not link.startswith(("#", "https://www.openstreetmap."))]
    assert len(files) == 4 and all(link.startswith("%3Cscript%3E") for link in files)
    item = json.loads(out.with_suffix(".stac.json").read_text("utf-8"))
    assert validity(item) == []


def pictures_of(page: Path) -> list[NDArray[np.uint8]]:
    found = re.findall(r"data:image/jpeg;base64,([^\"')]+)", page.read_text())
    return [np.asarray(Image.open(BytesIO(b64decode(each)))) for each in found]


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_raster_too_large_to_glance_at_is_shown_as_it_was_read(
    dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geochange.raster.pictures.overview.MOST_PX", 2**10)
    made = make_pair(tmp_path)
    for path in made if dtype is np.uint16 else ():
        with rasterio.open(path) as raster:
            pixels = raster.read().astype(dtype) * 16
        make_raster(path, np.moveaxis(pixels, 0, -1), nodata=0)
    options = {"model": "cva", "tile": 64, "overlap": 16}
    result = detect(*made, tmp_path / "changes.gpkg", block=2, **options)
    assert result.report is not None and "made of samples" not in result.report.read_text()
    shown = pictures_of(result.report)
    for path, picture in zip(made, shown[:2], strict=True):
        with rasterio.open(path) as raster:
            truth = np.moveaxis(raster.read([1, 2, 3]), 0, -1).astype(np.float32)
        small = np.asarray(Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BOX))
        seen = truth[..., 0] > 0
        likeness = np.corrcoef(small[seen].ravel(), truth[seen].ravel())[0, 1]
        assert likeness > 0.95  # with patches it is 0.4
        assert (small[5:20, 5:20] > 200).all() or path.name != "after.tif"
    # The image is the one that inference saw, in blocks of any size.
    again = detect(*made, tmp_path / "again.gpkg", block=5, workers=1, **options)
    assert again.report is not None
    np.testing.assert_array_equal(pictures_of(again.report)[1], shown[1])


def test_json_has_the_same_facts(tmp_path: Path) -> None:
    result, facts = facts_of(tmp_path, min_area=500)
    changes = gpd.read_file(result.out, layer="changes")
    assert result.report == tmp_path / "changes.json"
    assert not (tmp_path / "changes.html").exists()
    assert facts["polygons"] == len(changes) == sum(facts["histogram"])
    assert facts["changed_m2"] == pytest.approx(changes["area_m2"].sum())
    assert sum(group["polygons"] for group in facts["by_size"]) == len(changes)
    assert facts["place"]["seen_m2"] == pytest.approx((SIZE**2 - 900) * 100 / 0.9996**2, rel=1e-4)
    assert facts["changed_share"] == pytest.approx(facts["changed_m2"] / facts["place"]["seen_m2"])
    top = changes.sort_values(["confidence_mean", "area_m2"], ascending=False).head(10)
    assert [change["id"] for change in facts["top"]] == top["id"].tolist()
    west, south, east, north = facts["place"]["bounds"]
    for change in facts["top"]:
        lon, lat = change["centre"]
        assert west < lon < east and south < lat < north
    assert facts["before"]["date"].startswith("2015-06-01")
    assert "min_area" in facts["unusual"] and "tile" not in facts["unusual"]
    assert facts["files"]["STAC item"] == "changes.stac.json"
    assert all(stage["seconds"] >= 0 for stage in facts["stages"]) and len(facts["stages"]) == 4


def test_none_writes_none(tmp_path: Path) -> None:
    result = detect(*make_pair(tmp_path), tmp_path / "changes.gpkg", report="none", model="cva")
    assert result.report is None
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"before.tif", "after.tif", "changes.gpkg", "changes.tif"}


def test_nothing_changed_is_said(tmp_path: Path) -> None:
    before, _ = make_pair(tmp_path)
    result = detect(before, before, tmp_path / "changes.gpkg", threshold=1, model="cva")
    assert result.polygons == 0 and result.report is not None
    assert "Nothing changed" in read_page(result.report).text


@pytest.mark.parametrize("name", ["changes.html", "changes.stac.json"])
def test_what_is_not_ours_is_not_replaced(tmp_path: Path, name: str) -> None:
    pair = make_pair(tmp_path)
    (tmp_path / name).write_text("my own notes")
    with pytest.raises(OutputError, match=f"{name}: exists and was not written by geochange"):
        detect(*pair, tmp_path / "changes.gpkg", model="cva")
    assert (tmp_path / name).read_text() == "my own notes"
    assert not (tmp_path / "changes.gpkg").exists()


def test_a_second_run_replaces_the_first_report(tmp_path: Path) -> None:
    pair, out = make_pair(tmp_path), tmp_path / "changes.gpkg"
    first = detect(*pair, out, model="cva")
    assert first.report is not None
    was = first.report.read_bytes()
    detect(*pair, out, min_area=1e6, model="cva")
    assert first.report.read_bytes() != was
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_kind_of_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--report pdf: not known; choose html, json, none"):
        detect(*make_pair(tmp_path), tmp_path / "changes.gpkg", report="pdf", model="cva")


def test_the_command_names_the_report(tmp_path: Path) -> None:
    before, after = make_pair(tmp_path)
    told = CliRunner().invoke(
        cli,
        ["run", str(before), str(after), "--out", str(tmp_path / "changes.gpkg"), "--model", "cva"],
    )
    assert told.exit_code == 0, told.output
    assert re.search(r"report +\S+changes\.html", told.output)


def validity(item: dict[str, Any]) -> list[str]:
    """The violations of STAC's schema by an item. pystac has a copy, so no network is needed."""
    schemas = get_local_schema_cache()
    registry: Registry[Any] = Registry().with_resources(
        [(uri, Resource.from_contents(schema)) for uri, schema in schemas.items()]
    )
    uri = f"https://schemas.stacspec.org/v{item['stac_version']}/item-spec/json-schema/item.json"
    validator = Draft7Validator(
        schemas[uri], registry=registry, format_checker=Draft7Validator.FORMAT_CHECKER
    )
    return [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(item)]


def item_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.with_suffix(".stac.json").read_text("utf-8"))
    return found


def test_the_schema_is_looked_at(ran: Result) -> None:
    item = item_of(ran.out)
    assert validity(item) == []
    del item["properties"]["start_datetime"]
    assert validity(item) != []


def test_the_item_lists_the_outputs(ran: Result) -> None:
    item = pystac.Item.from_dict(item_of(ran.out))
    assert set(item.assets) == {"changes", "probability", "report"}
    for asset in item.assets.values():
        assert (ran.out.parent / asset.href).is_file()
    assert item.assets["changes"].media_type == pystac.MediaType.GEOPACKAGE
    assert item.assets["probability"].media_type == pystac.MediaType.COG
    assert {link.rel for link in item.links} == {"via"}


def test_the_item_says_when_and_where(ran: Result) -> None:
    item = pystac.Item.from_dict(item_of(ran.out))
    assert item.datetime is None
    times = item.common_metadata
    assert times.start_datetime is not None and times.end_datetime is not None
    assert times.start_datetime.isoformat() == "2015-06-01T10:30:00+00:00"
    assert times.end_datetime.isoformat() == "2021-07-02T11:00:00+00:00"
    lonlat = gpd.read_file(ran.out, layer="changes").to_crs(4326)
    west, south, east, north = item.bbox or [0, 0, 0, 0]
    assert west < lonlat.total_bounds[0] and lonlat.total_bounds[2] < east
    assert south < lonlat.total_bounds[1] and lonlat.total_bounds[3] < north
    projection = item.ext.proj
    with rasterio.open(ran.raster) as raster:
        assert projection.code == "EPSG:32632"
        assert projection.shape == list(raster.shape)
        assert projection.transform == list(raster.transform)[:6]


def without_dates(folder: Path, **where: Any) -> tuple[Path, Path]:
    before, after = make_pair(folder, **where)
    for path in (before, after):
        with rasterio.open(path, "r+") as raster:
            raster.update_tags(TIFFTAG_DATETIME="")
    return before, after


def test_without_dates_the_item_says_so(tmp_path: Path) -> None:
    result = detect(*without_dates(tmp_path), tmp_path / "changes.geojson", model="cva")
    item = item_of(result.out)
    assert validity(item) == []
    assert "dates of the pictures are not known" in item["properties"]["description"]
    assert datetime.fromisoformat(item["properties"]["datetime"]).year >= 2024
    assert item["assets"]["changes"]["type"] == "application/geo+json"


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (LONLAT, Affine(1e-4, 0, 179.99, 0, -1e-4, -16)),
        (UTM.from_epsg(32760), Affine(10, 0, 808_000, 0, -10, 8_110_000)),
        (UTM.from_epsg(32632), NORTH_UP @ Affine.rotation(30)),
        (UTM.from_proj4("+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80"), NORTH_UP),
    ],
)
def test_any_crs_gives_a_valid_item(tmp_path: Path, crs: Any, transform: Affine) -> None:
    pair = make_pair(tmp_path, crs=crs, transform=transform)
    item = item_of(detect(*pair, tmp_path / "changes.gpkg", model="cva").out)
    assert validity(item) == []
    assert ("proj:wkt2" in item["properties"]) == (crs.to_authority() is None)
    lon, lat = np.array(_flat(item["geometry"]["coordinates"])).T
    assert (np.abs(lon) <= 180).all() and (np.abs(lat) <= 90).all()


def _flat(coordinates: Any) -> list[list[float]]:
    if isinstance(coordinates[0], float | int):
        return [coordinates]
    return [point for part in coordinates for point in _flat(part)]
