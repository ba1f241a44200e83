"""Styles of changes in QGIS: polygons by confidence, and the colour map of the probability raster."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

from geochange.grid.probability_bytes import NODATA
from geochange.land_cover import Rgb as Rgb
from geochange.land_cover import rgb_of
from geochange.qgis.schema import FIELDS, Field, form_of
from geochange.qgis.xml import to_text

ARROW, WITHIN = " -> ", "within "
"""In names of change: between the classes of both dates, and before one class of both."""

Rgba = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class ConfidenceClass:
    """Changes with a shown confidence from `lower` to `upper` (0 to 1), their label and colour."""

    lower: float
    upper: float
    label: str
    color: Rgb


CLASSES: Final = (
    # The first class starts at 0, so that every change is visible when the threshold is low.
    ConfidenceClass(0.0, 0.6, "below 60 %", (255, 237, 160)),
    ConfidenceClass(0.6, 0.7, "60 to 70 %", (254, 178, 76)),
    ConfidenceClass(0.7, 0.8, "70 to 80 %", (252, 78, 42)),
    ConfidenceClass(0.8, 0.9, "80 to 90 %", (189, 0, 38)),
    ConfidenceClass(0.9, 1.0, "90 to 100 %", (128, 0, 38)),
)
"""ColorBrewer's YlOrRd: every step is clearly darker, so it works for colour blindness and in grey."""

SHOWN_CONFIDENCE: Final = "coalesce(attribute('confidence'), \"confidence_mean\")"
"""By which polygons are coloured, in QGIS's words: the calibrated confidence, else the mean probability.

Unlike a name in quotes, attribute() is null where a file lacks the column. See
`vector.change_summary.shown_confidence` for the report.
"""

RAMP: Final[tuple[tuple[float, Rgb], ...]] = (
    (0.0, (255, 255, 255)),
    *((at, band.color) for at, band in zip((0.55, 0.65, 0.75, 0.85, 0.95), CLASSES, strict=True)),
    (1.0, (103, 0, 31)),
)
"""Colours by probability: white at 0, the colours of the classes in the middle of each."""

PALETTE: Final[tuple[Rgb, ...]] = (
    *((228, 26, 28), (55, 126, 184), (77, 175, 74), (152, 78, 163), (255, 127, 0)),
    *((255, 217, 47), (166, 86, 40), (247, 129, 191), (0, 187, 187), (102, 194, 165)),
    *((141, 160, 203), (179, 222, 105), (251, 128, 114), (128, 128, 0), (188, 128, 189)),
)
"""Colours of categories, the most frequent first; mostly ColorBrewer's Set1, Set2 and Set3."""

OTHER_COLOR: Final[Rgb] = (150, 150, 150)
"""The colour of all categories for which PALETTE has none."""

STATUS_COLORS: Final[tuple[Rgb, ...]] = ((255, 217, 47), (26, 150, 65), (202, 0, 32))
"""Colours of STATUSES: yellow is not reviewed, green accepted, red rejected."""

_COVERAGE_LINE: Final[Rgba] = (30, 60, 110, 255)
_FILL_ALPHA: Final = 100  # of 255: the picture below stays visible
_LINE_MM: Final = 0.5
_CASING_MM: Final = 1.1
_LIGHT_CASING: Final[Rgba] = (255, 255, 255, 200)
_DARK_CASING: Final[Rgba] = (40, 20, 10, 200)


def probability_colormap() -> dict[int, Rgba]:
    """The colour of every pixel value of the probability raster; NODATA is transparent."""
    colors = {value: (*_ramp_color(value / (NODATA - 1)), 255) for value in range(NODATA)}
    return {**colors, NODATA: (0, 0, 0, 0)}


@cache
def polygon_qml(attribute: str = SHOWN_CONFIDENCE) -> str:
    """QGIS's style document (QML) for polygons coloured by an attribute or expression from 0 to 1."""
    return document(graduated(attribute), FIELDS)


def document(renderer: ET.Element, fields: Mapping[str, Field]) -> str:
    """The style document (QML) of a polygon layer: its renderer, and how its fields are shown.

    It is the XML of QGIS 3.22, which later versions read too.
    """
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology|Fields|Forms")
    root.extend([renderer, *form_of(fields)])
    ET.SubElement(root, "blendMode").text = "0"
    ET.SubElement(root, "featureBlendMode").text = "0"
    ET.SubElement(root, "layerGeometryType").text = "2"  # polygons
    return to_text(root)


def colors_by_frequency(counts: Mapping[str, int]) -> dict[str, Rgb]:
    """The colour of each category, the most frequent first; those beyond PALETTE are left out.

    counts: how often each occurs. QGIS and the report take the colours of changes from here.
    """
    order = sorted(counts, key=lambda name: (-counts[name], name))
    return dict(zip(order, PALETTE, strict=False))


def change_colors(
    counts: Mapping[str, int], classes: Mapping[str, str]
) -> dict[str, tuple[Rgb, Rgb]]:
    """The colours of each category of change: of its class before, and of that after.

    counts: how often each occurs. classes: "#rrggbb" by class. A change between two of these has their
    colours; another has one of `colors_by_frequency` twice.
    """
    own = {name: classes_of_change(name) for name in counts}
    named = {name: both for name, both in own.items() if classes.keys() >= set(both)}
    rest = colors_by_frequency({name: n for name, n in counts.items() if name not in named})
    found = {name: (rgb_of(classes[a]), rgb_of(classes[b])) for name, (a, b) in named.items()}
    found |= {name: (color, color) for name, color in rest.items()}
    order = sorted(found, key=lambda name: (-counts[name], name))
    return {name: found[name] for name in order}


def classes_of_change(name: str) -> tuple[str, str]:
    """The class before and the class after of a category of change."""
    before, arrow, after = name.partition(ARROW)
    if arrow:
        return before, after
    same = name.removeprefix(WITHIN)
    return same, same


def _ramp_color(probability: float) -> Rgb:
    """The colour of RAMP at a probability from 0 to 1, linear between its stops."""
    for (low, start), (high, end) in pairwise(RAMP):
        if probability <= high:
            share = (probability - low) / (high - low)
            red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
            return red, green, blue
    raise ValueError(f"{probability} is not a probability: it must be from 0 to 1")


def graduated(attribute: str) -> ET.Element:
    """A renderer of graduated symbols: one range and symbol for each of CLASSES."""
    renderer = _renderer("graduatedSymbol", attr=attribute, graduatedMethod="GraduatedColor")
    ranges = ET.SubElement(renderer, "ranges")
    symbols = ET.SubElement(renderer, "symbols")
    for number, band in enumerate(CLASSES):
        ET.SubElement(
            ranges,
            "range",
            lower=f"{band.lower:.15f}",
            upper=f"{band.upper:.15f}",
            label=band.label,
            symbol=str(number),
            render="true",
        )
        symbols.append(_symbol(str(number), band.color))
    renderer.append(_color_ramp())
    ET.SubElement(renderer, "classificationMethod", id="Custom")
    return renderer


def categorised(
    attribute: str, values: Sequence[str], colors: Sequence[Rgb], lines: Sequence[Rgb] = ()
) -> ET.Element:
    """A renderer with one symbol per value, and a grey one for all other values.

    values, colors: in the order of the legend, one colour a value. lines: the colours of outlines, if
    they are others.
    """
    renderer = _renderer("categorizedSymbol", attr=attribute)
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    listed = [*zip(values, colors, lines or colors, strict=True), ("", OTHER_COLOR, OTHER_COLOR)]
    for number, (value, color, line) in enumerate(listed):
        label = value or "other"
        ET.SubElement(
            categories, "category", value=value, label=label, symbol=str(number), render="true"
        )
        symbols.append(_symbol(str(number), color, line))
    return renderer


def outlined() -> ET.Element:
    """A renderer with a single symbol: a dashed outline without fill."""
    renderer = _renderer("singleSymbol")
    symbol = ET.Element("symbol", name="0", type="fill", alpha="1", clip_to_extent="1")
    symbol.append(_symbol_layer("SimpleLine", _line(_LIGHT_CASING, 0.9)))
    dashed = {**_line(_COVERAGE_LINE, 0.4), "line_style": "dash"}
    symbol.append(_symbol_layer("SimpleLine", dashed))
    ET.SubElement(renderer, "symbols").append(symbol)
    return renderer


def _renderer(kind: str, **attributes: str) -> ET.Element:
    """A renderer element; QGIS silently replaces an unknown kind by a single symbol."""
    plain = {"symbollevels": "0", "enableorderby": "0", "forceraster": "0"}
    return ET.Element("renderer-v2", {"type": kind, **attributes, **plain})


def _symbol(name: str, color: Rgb, outline: Rgb | None = None) -> ET.Element:
    """A translucent fill with a coloured line and a casing that stands out on any picture.

    outline: the colour of the line, if it is another.
    """
    line = color if outline is None else outline
    symbol = ET.Element("symbol", name=name, type="fill", alpha="1", clip_to_extent="1")
    casing = _DARK_CASING if _luma(line) > 128 else _LIGHT_CASING
    fill = {"color": _text((*color, _FILL_ALPHA)), "style": "solid", "outline_style": "no"}
    symbol.append(_symbol_layer("SimpleFill", fill))
    symbol.append(_symbol_layer("SimpleLine", _line(casing, _CASING_MM)))
    symbol.append(_symbol_layer("SimpleLine", _line((*line, 255), _LINE_MM)))
    return symbol


def _line(color: Rgba, width_mm: float) -> dict[str, str]:
    return {
        "line_color": _text(color),
        "line_style": "solid",
        "line_width": str(width_mm),
        "line_width_unit": "MM",
        "joinstyle": "round",
        "capstyle": "round",
    }


def _symbol_layer(kind: str, properties: Mapping[str, str]) -> ET.Element:
    layer = ET.Element("layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"})
    _add_properties(layer, properties)
    return layer


def _color_ramp() -> ET.Element:
    """The colours of the classes as a gradient, which QGIS uses when a user reclassifies."""
    steps = len(CLASSES) - 1
    inner = (f"{i / steps};{_text((*CLASSES[i].color, 255))}" for i in range(1, steps))
    properties = {
        "color1": _text((*CLASSES[0].color, 255)),
        "color2": _text((*CLASSES[-1].color, 255)),
        "stops": ":".join(inner),
        "discrete": "0",
        "rampType": "gradient",
    }
    ramp = ET.Element("colorramp", type="gradient", name="[source]")
    _add_properties(ramp, properties)
    return ramp


def _add_properties(parent: ET.Element, properties: Mapping[str, str]) -> None:
    """Write properties twice: as <Option> for QGIS from 3.20 on, and as <prop> for older versions."""
    options = ET.SubElement(parent, "Option", type="Map")
    for key, value in properties.items():
        ET.SubElement(options, "Option", name=key, type="QString", value=value)
    for key, value in properties.items():
        ET.SubElement(parent, "prop", k=key, v=value)


def _text(color: Rgba) -> str:
    return ",".join(map(str, color))


def _luma(color: Rgb) -> float:
    """The lightness of a colour, 0 to 255 (Rec. 709 weights on the stored values)."""
    red, green, blue = color
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
