"""A result in a notebook: figures, pictures while the rasters are there, and a map."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from makers import make_raster
from PIL import Image

from geochange import Result, detect
from geochange.errors import MissingDependencyError

pytestmark = pytest.mark.slow


@pytest.fixture
def result(tmp_path: Path) -> Result:
    rng = np.random.default_rng(0)
    before = rng.integers(90, 100, (96, 128, 3), np.uint8)
    after = before.copy()
    after[20:40, 30:60] = after[60:70, 90:100] = 250
    pair = make_raster(tmp_path / "b<i>.tif", before), make_raster(tmp_path / "a.tif", after)
    return detect(
        *pair, tmp_path / "c.gpkg", report="none", min_area=0, model="cva", skip_checks=True
    )


def pictures(page: str) -> list[Image.Image]:
    return [Image.open(BytesIO(b64decode(x))) for x in re.findall(r'base64,([^"]+)"', page)]


def test_a_notebook_shows_figures_and_the_largest_changes(result: Result) -> None:
    page = result._repr_html_()
    assert f"{result.polygons:,} polygons" in page and str(result.raster) in page
    drawn = pictures(page)
    assert len(drawn) == 1 + result.polygons == 3
    assert np.ptp(np.asarray(drawn[0]), axis=(0, 1)).max() > 100
    HTMLParser().feed(page)
    assert "<script" not in page and "<i>" not in page


def test_figures_remain_when_the_rasters_have_moved(result: Result) -> None:
    for raster in result.out.parent.glob("*.tif"):
        raster.rename(raster.with_suffix(".moved"))
    page = result._repr_html_()
    assert pictures(page) == [] and "2 polygons" in page


def test_a_map_shows_what_is_known_of_a_change(result: Result) -> None:
    pytest.importorskip("folium")
    pytest.importorskip("mapclassify")
    text = result.explore(tiles=None).get_root().render()
    assert text.count('"type": "Polygon"') == 2 and "area_m2" in text
    tooltip = re.search(r"fields\s*=\s*(\[[^\]]*\])", text)
    assert tooltip is not None
    assert json.loads(tooltip[1]) == ["id", "area_m2", "confidence_mean"], "cva names nothing"


def test_a_map_without_its_packages_names_the_extra(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explore(changes: object, **options: object) -> None:
        raise ImportError("folium")

    monkeypatch.setattr("geopandas.GeoDataFrame.explore", explore)
    with pytest.raises(MissingDependencyError, match=r'pip install "geochange\[map\]"'):
        result.explore()
