"""Colours: all are visible, their order is visible, and polygons and raster agree."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from geochange.grid.probability_bytes import NODATA
from geochange.land_cover import Rgb
from geochange.qgis.style import (
    CLASSES,
    PALETTE,
    SHOWN_CONFIDENCE,
    categorised,
    change_colors,
    polygon_qml,
    probability_colormap,
)


def lightness(color: Rgb) -> float:
    """CIE L*, 0 to 100, of an sRGB colour."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in color)
    ]
    luminance = sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 116 * float(luminance ** (1 / 3)) - 16


@pytest.fixture
def renderer() -> ET.Element:
    found = ET.fromstring(polygon_qml()).find("renderer-v2")
    assert found is not None
    return found


def test_classes_cover_every_confidence() -> None:
    assert (CLASSES[0].lower, CLASSES[-1].upper) == (0.0, 1.0)
    assert all(one.upper == other.lower for one, other in pairwise(CLASSES))


def test_each_class_is_clearly_darker_than_the_one_below() -> None:
    steps = [lightness(a.color) - lightness(b.color) for a, b in pairwise(CLASSES)]
    assert min(steps) > 10


def test_renderer_is_graduated_by_confidence(renderer: ET.Element) -> None:
    assert renderer.get("type") == "graduatedSymbol"
    assert renderer.get("attr") == SHOWN_CONFIDENCE
    ranges = [
        (float(r.get("lower", "")), float(r.get("upper", ""))) for r in renderer.iter("range")
    ]
    assert ranges == [(band.lower, band.upper) for band in CLASSES]


def test_every_range_has_its_symbol(renderer: ET.Element) -> None:
    wanted = [band.get("symbol") for band in renderer.iter("range")]
    assert wanted == [symbol.get("name") for symbol in renderer.iter("symbol")]


def test_symbols_are_translucent_with_an_opaque_line(renderer: ET.Element) -> None:
    for symbol, band in zip(renderer.iter("symbol"), CLASSES, strict=True):
        fill, _, line = symbol.findall("layer")
        color = ",".join(map(str, band.color))
        fill_color, alpha = property_of(fill, "color").rsplit(",", 1)
        assert fill_color == color and 50 < int(alpha) < 150
        assert property_of(line, "line_color") == f"{color},255"


def property_of(layer: ET.Element, name: str) -> str:
    """A property, after making sure that new and old QGIS read the same."""
    option, prop = layer.find(f"Option/Option[@name='{name}']"), layer.find(f"prop[@k='{name}']")
    assert option is not None and prop is not None and option.get("value") == prop.get("v")
    return prop.get("v", "")


def test_colormap_has_every_value_and_only_nodata_is_transparent() -> None:
    colors = probability_colormap()
    assert sorted(colors) == list(range(256))
    assert [value for value, color in colors.items() if color[3] != 255] == [NODATA]


def test_colormap_darkens_all_the_way() -> None:
    colors = probability_colormap()
    light = [lightness(colors[value][:3]) for value in range(NODATA)]
    assert all(a >= b - 0.3 for a, b in pairwise(light))  # tolerance for rounding to 8 bits
    assert light[0] == pytest.approx(100, abs=0.1) and light[-1] < 25


def test_raster_and_polygons_share_their_colours() -> None:
    colors = probability_colormap()
    for band, middle in zip(CLASSES, (0.55, 0.65, 0.75, 0.85, 0.95), strict=True):
        shared = colors[round(middle * 254)][:3]
        assert max(abs(a - b) for a, b in zip(shared, band.color, strict=True)) <= 4


def test_changes_between_classes_have_the_colours_of_both() -> None:
    counts = {"tree -> shed": 2, "within shed": 3, "pond -> rock": 5}
    colours = change_colors(counts, {"tree": "#00ff00", "shed": "#800000"})
    assert list(colours.items()) == [
        ("pond -> rock", (PALETTE[0], PALETTE[0])),
        ("within shed", ((128, 0, 0), (128, 0, 0))),
        ("tree -> shed", ((0, 255, 0), (128, 0, 0))),
    ]
    renderer = categorised("change", ["tree -> shed"], [(128, 0, 0)], [(0, 255, 0)])
    first = renderer.find("symbols/symbol")
    assert first is not None
    told = {each.get("name"): each.get("value") for each in first.iter("Option")}
    assert told["color"] == "128,0,0,100"
    assert told["line_color"] == "0,255,0,255"
