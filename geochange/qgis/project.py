"""A QGIS project of a run: before, after, probability, coverage and changes, in the XML of 3.22."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyproj import CRS

from geochange.grid.crs import authority_of
from geochange.grid.grid import Grid
from geochange.grid.probability_bytes import NODATA
from geochange.qgis.style import RAMP
from geochange.qgis.xml import from_text, to_text

if TYPE_CHECKING:
    import geopandas as gpd

Extent = tuple[float, float, float, float]
"""(west, south, east, north) in the CRS of the grid."""

MARGIN: Final = 0.05
"""The margin around the first view, as a share of its size."""

_MULTIPLY: Final = "6"
"""QGIS's number of the blend mode multiply: white, where nothing changed, shows what lies below."""


@dataclass(frozen=True)
class Picture:
    """One date, as QGIS shows it.

    source: the name by which GDAL opens it. bands: 1-based, as compared; the first three are red,
    green and blue. low, high: the values shown darkest and brightest in each band; None shows the
    values as they are.
    """

    source: str
    crs: CRS
    bands: tuple[int, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Scene:
    """The layers besides the changes: the ground that was seen, and the rasters of the run.

    file: where the polygons will lie, in a GeoPackage; what lies beside it or below is named from
    there.
    """

    grid: Grid
    coverage: gpd.GeoDataFrame
    before: Picture
    after: Picture
    probability: Path
    file: Path


@dataclass(frozen=True)
class Styles:
    """QML documents by the names of styles, the default first."""

    changes: Mapping[str, str]
    coverage: Mapping[str, str]


def project_of(layer: str, scene: Scene, styles: Styles) -> str:
    """The project's document (.qgs). layer: the name of that of the changes."""
    root = ET.Element("qgis", version="3.22.0", projectname="geochange")
    ET.SubElement(root, "title").text = "geochange"
    ET.SubElement(root, "projectCrs").append(_spatial_reference(scene.grid.crs))
    here, folder = f"./{scene.file.name}", scene.file.parent
    # The newest on top.
    layers = [
        _polygons("changes", f"{here}|layername={layer}", scene.grid.crs, styles.changes),
        _polygons("coverage", f"{here}|layername=coverage", scene.grid.crs, styles.coverage),
        _probability(_relative_path(str(scene.probability), folder), scene.grid.crs),
        _picture("after", scene.after, folder),
        _picture("before", scene.before, folder),
    ]
    root.append(_tree(layers))
    root.append(_canvas(scene))
    ET.SubElement(root, "projectlayers").extend(layers)
    order = ET.SubElement(root, "layerorder")
    for each in layers:
        ET.SubElement(order, "layer", id=each.findtext("id") or "")
    root.append(_properties())
    root.append(_first_view(scene))
    return to_text(root)


def plain_project(file: str, layer: str, crs: CRS, styles: Mapping[str, str]) -> str:
    """The XML of a project of changes alone; see `project_of`."""
    root = ET.Element("qgis", version="3.22.0", projectname="geochange")
    ET.SubElement(root, "title").text = "geochange"
    ET.SubElement(root, "projectCrs").append(_spatial_reference(crs))
    layers = [_polygons("changes", f"./{file}|layername={layer}", crs, styles)]
    root.append(_tree(layers))
    ET.SubElement(root, "projectlayers").extend(layers)
    root.append(_properties())
    return to_text(root)


def zip_document(document: str, name: str) -> bytes:
    """A document as the only file of an archive (.qgz)."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, document.encode())
    return archive.getvalue()


def _relative_path(source: str, folder: Path) -> str:
    """A file in the folder or below, relative to it, so that all can move together."""
    path = Path(source)
    if path.is_absolute() and path.is_relative_to(folder):
        return f"./{path.relative_to(folder).as_posix()}"
    return source


def _tree(layers: list[ET.Element]) -> ET.Element:
    """The layer tree; the probability is switched off, since it would cover the pictures."""
    tree = ET.Element("layer-tree-group")
    for layer in layers:
        name = layer.findtext("layername") or ""
        ET.SubElement(
            tree,
            "layer-tree-layer",
            id=layer.findtext("id") or "",
            name=name,
            source=layer.findtext("datasource") or "",
            providerKey=layer.findtext("provider") or "",
            checked="Qt::Unchecked" if name == "probability" else "Qt::Checked",
            expanded="1" if name == "changes" else "0",
        )
    return tree


def _properties() -> ET.Element:
    """Project settings: relative paths, and layers are reprojected on the fly."""
    properties = ET.Element("properties")
    paths = ET.SubElement(properties, "Paths")
    ET.SubElement(paths, "Absolute", type="bool").text = "false"
    reference = ET.SubElement(properties, "SpatialRefSys")
    ET.SubElement(reference, "ProjectionsEnabled", type="int").text = "1"
    return properties


def _canvas(scene: Scene) -> ET.Element:
    canvas = ET.Element("mapcanvas", name="theMapCanvas", annotationsVisible="1")
    ET.SubElement(canvas, "units").text = "degrees" if scene.grid.crs.is_geographic else "meters"
    extent = ET.SubElement(canvas, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), _view(scene), strict=True):
        ET.SubElement(extent, name).text = repr(value)
    ET.SubElement(canvas, "rotation").text = "0"
    ET.SubElement(canvas, "destinationsrs").append(_spatial_reference(scene.grid.crs))
    return canvas


def _first_view(scene: Scene) -> ET.Element:
    """The first view of the project, for QGIS 3.18 and later."""
    settings = ET.Element("ProjectViewSettings", UseProjectScales="0", rotation="0")
    names = zip(("xmin", "ymin", "xmax", "ymax"), map(repr, _view(scene)), strict=True)
    view = ET.SubElement(settings, "DefaultViewExtent", dict(names))
    view.append(_spatial_reference(scene.grid.crs))
    return settings


def _view(scene: Scene) -> Extent:
    """The extent of the run with a margin."""
    west, south, east, north = scene.grid.footprint().bounds
    x, y = MARGIN * (east - west), MARGIN * (north - south)
    return west - x, south - y, east + x, north + y


def _layer(kind: str, name: str, source: str, crs: CRS) -> ET.Element:
    layer = ET.Element("maplayer", type=kind, styleCategories="AllStyleCategories")
    ET.SubElement(layer, "id").text = f"geochange_{name}"
    ET.SubElement(layer, "datasource").text = source
    ET.SubElement(layer, "layername").text = name
    ET.SubElement(layer, "srs").append(_spatial_reference(crs))
    return layer


def _spatial_reference(crs: CRS) -> ET.Element:
    reference = ET.Element("spatialrefsys")
    ET.SubElement(reference, "wkt").text = crs.to_wkt("WKT2_2019")
    authority = authority_of(crs)
    ET.SubElement(reference, "authid").text = ":".join(authority) if authority else ""
    ET.SubElement(reference, "description").text = crs.name
    ET.SubElement(reference, "geographicflag").text = str(crs.is_geographic).lower()
    return reference


def _polygons(name: str, source: str, crs: CRS, styles: Mapping[str, str]) -> ET.Element:
    """A layer of polygons in its first style; the user can choose the others."""
    layer = _layer("vector", name, source, crs)
    layer.set("geometry", "Polygon")
    ET.SubElement(layer, "provider", encoding="UTF-8").text = "ogr"
    manager = ET.SubElement(layer, "map-layer-style-manager", current=next(iter(styles)))
    for number, (style, qml) in enumerate(styles.items()):
        kept, found = ET.SubElement(manager, "map-layer-style", name=style), from_text(qml)
        if number == 0:
            layer.extend(found)
        else:
            kept.append(found)
    return layer


def _picture(name: str, picture: Picture, folder: Path) -> ET.Element:
    """A date in the bands that were compared; grey with fewer than three."""
    layer = _layer("raster", name, _relative_path(picture.source, folder), picture.crs)
    ET.SubElement(layer, "provider").text = "gdal"
    if len(picture.bands) >= 3:
        numbers = zip(("redBand", "greenBand", "blueBand"), map(str, picture.bands), strict=False)
        renderer = ET.Element("rasterrenderer", dict(numbers), type="multibandcolor")
        names = [f"{color}ContrastEnhancement" for color in ("red", "green", "blue")]
    else:
        band = str(picture.bands[0])
        renderer = ET.Element("rasterrenderer", type="singlebandgray", grayBand=band)
        renderer.set("gradient", "BlackToWhite")
        names = ["contrastEnhancement"]
    for number, contrast in enumerate(names):
        if picture.low is not None and picture.high is not None:
            # One value may stand for all bands.
            low, high = (ends[min(number, len(ends) - 1)] for ends in (picture.low, picture.high))
            renderer.append(_contrast(contrast, low, high))
    return _add_pipe(layer, renderer, smooth=True)


def _contrast(name: str, low: float, high: float) -> ET.Element:
    contrast = ET.Element(name)
    ET.SubElement(contrast, "minValue").text = repr(float(low))
    ET.SubElement(contrast, "maxValue").text = repr(float(high))
    ET.SubElement(contrast, "algorithm").text = "StretchToMinimumMaximum"
    return contrast


def _probability(source: str, crs: CRS) -> ET.Element:
    """The probability in the colours of the changes, blended with what lies below."""
    layer = _layer("raster", "probability", source, crs)
    ET.SubElement(layer, "provider").text = "gdal"
    full = str(NODATA - 1)
    renderer = ET.Element("rasterrenderer", type="singlebandpseudocolor", band="1")
    renderer.set("classificationMin", "0")
    renderer.set("classificationMax", full)
    ends = {"minimumValue": "0", "maximumValue": full, "colorRampType": "INTERPOLATED"}
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"), "colorrampshader", ends, classificationMode="1"
    )
    for at, color in RAMP:
        value, label = repr(at * (NODATA - 1)), f"{at:.0%}".replace("%", " %")
        name = "#{:02x}{:02x}{:02x}".format(*color)
        ET.SubElement(shader, "item", value=value, label=label, color=name, alpha="255")
    _add_pipe(layer, renderer, smooth=False)
    ET.SubElement(layer, "blendMode").text = _MULTIPLY
    return layer


def _add_pipe(layer: ET.Element, renderer: ET.Element, smooth: bool) -> ET.Element:
    renderer.set("opacity", "1")
    renderer.set("alphaBand", "-1")
    renderer.set("nodataColor", "")
    pipe = ET.SubElement(layer, "pipe")
    ET.SubElement(
        ET.SubElement(pipe, "provider"),
        "resampling",
        enabled="false",
        maxOversampling="2",
        zoomedInResamplingMethod="nearestNeighbour",
        zoomedOutResamplingMethod="nearestNeighbour",
    )
    pipe.append(renderer)
    resampler = ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    if smooth:
        resampler.set("zoomedOutResampler", "bilinear")
    ET.SubElement(pipe, "resamplingStage").text = "resamplingFilter"
    return layer
