"""Layers as files, by which the command reads them: rasters, polygons, and the area of the work."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsFeature,
    QgsFeatureRequest,
    QgsFields,
    QgsGeometry,
    QgsProcessing,
    QgsProcessingParameterBand,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
    QgsVectorFileWriter,
    QgsWkbTypes,
)

from ..command.arguments import bands_of
from ..command.errors import PluginError
from .parameters import is_given

POLYGONS = QgsProcessing.SourceType.TypeVectorPolygon
VECTORS = (".gpkg", ".geojson", ".fgb", ".shp", ".parquet", ".kml", ".gml")
"""Files of polygons that the command reads by itself."""


def add_area(algorithm: Any) -> None:
    """Add the parameters of the area to work on."""
    algorithm.addParameter(
        QgsProcessingParameterExtent("EXTENT", "Only within this extent", optional=True)
    )
    algorithm.addParameter(
        QgsProcessingParameterFeatureSource(
            "AREA", "Only within these polygons", [POLYGONS], optional=True
        )
    )


def add_pair(algorithm: Any) -> None:
    """Add the parameters of both rasters."""
    algorithm.addParameter(QgsProcessingParameterRasterLayer("BEFORE", "Before"))
    algorithm.addParameter(QgsProcessingParameterRasterLayer("AFTER", "After"))


def add_bands(algorithm: Any) -> None:
    """Add choosers of the bands of both rasters."""
    for name, label, raster in (
        ("BEFORE_BANDS", "Bands before (red, green, blue)", "BEFORE"),
        ("AFTER_BANDS", "Bands after, if others", "AFTER"),
    ):
        algorithm.addParameter(
            QgsProcessingParameterBand(
                name, label, parentLayerParameterName=raster, optional=True, allowMultiple=True
            )
        )


def pair_names(algorithm: Any, parameters: Mapping[str, Any], context: Any) -> list[str]:
    """The names of both rasters; see `raster_name`.

    Raises PluginError where one raster is given for both dates: a form chooses the current layer for
    each, and nothing changes in it. Both may lie in bands of one file.
    """
    names = [raster_name(algorithm, parameters, name, context) for name in ("BEFORE", "AFTER")]
    bands = [parameters.get(f"{name}_BANDS") for name in ("BEFORE", "AFTER")]
    if names[0] == names[1] and (not all(bands) or bands[0] == bands[1]):
        raise PluginError(f"{names[0]}: is chosen as Before and as After; choose both dates")
    return names


def band_words(algorithm: Any, parameters: Mapping[str, Any], context: Any) -> list[str]:
    """The option of the chosen bands, if any are. Raises PluginError."""
    before, after = (
        algorithm.parameterAsInts(parameters, name, context)
        for name in ("BEFORE_BANDS", "AFTER_BANDS")
    )
    bands = bands_of(before, after)
    return [f"--bands={bands}"] if bands else []


def area_words(
    algorithm: Any,
    parameters: Mapping[str, Any],
    context: Any,
    flag: str = "--aoi",
    kept_in: Path | None = None,
) -> list[str]:
    """The option of the area to work on, if there is one; see `area_file`."""
    area = area_file(algorithm, parameters, context, kept_in)
    if area:
        algorithm.names[area] = "the area"
    return [f"{flag}={area}"] if area else []


def raster_name(algorithm: Any, parameters: Mapping[str, Any], name: str, context: Any) -> str:
    """The name by which GDAL opens a raster layer. Raises PluginError."""
    layer = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None:
        raise PluginError(f"{name}: is no raster that QGIS can open; choose another one")
    return name_of_raster(layer)


def name_of_raster(layer: Any) -> str:
    """The name by which GDAL opens a layer. Raises PluginError."""
    if layer.providerType() != "gdal":
        raise PluginError(
            f"{layer.name()}: is no file (it comes from {layer.providerType()}); export it as "
            "GeoTIFF first"
        )
    return str(layer.source()).split("|")[0]


def polygons_file(algorithm: Any, parameters: Mapping[str, Any], name: str, context: Any) -> str:
    """A file with the polygons of a layer: its own, or a copy of what QGIS shows of it."""
    layer = algorithm.parameterAsVectorLayer(parameters, name, context)
    if layer is None:
        raise PluginError(f"{name}: is no vector layer that QGIS can open; choose another one")
    if layer.isEditable() and layer.isModified():
        raise PluginError(f"{layer.name()}: has edits that are not saved; save them first")
    path, _, rest = str(layer.source()).partition("|")
    plain = not rest or rest in ("layername=changes", f"layername={Path(path).stem}")
    if plain and os.path.isfile(path) and path.lower().endswith(VECTORS):
        return path
    features = layer.getFeatures(QgsFeatureRequest())
    return _write_features(features, layer.fields(), layer.crs(), context, _temporary("polygons"))


def area_file(
    algorithm: Any, parameters: Mapping[str, Any], context: Any, kept_in: Path | None = None
) -> str | None:
    """A file with the area to work on, or None for all. Raises PluginError.

    kept_in: a folder for it; else the temporary one. The same area has the same name.
    """
    by_extent, by_polygons = is_given(parameters, "EXTENT"), is_given(parameters, "AREA")
    if by_extent and by_polygons:
        raise PluginError("an extent and polygons are given; choose one of them")
    if by_polygons:
        source = algorithm.parameterAsSource(parameters, "AREA", context)
        if source is None:
            raise PluginError("AREA: is no polygon layer that QGIS can open; choose another one")
        shapes = [feature.geometry() for feature in source.getFeatures()]
        crs = source.sourceCrs()
    elif by_extent:
        shapes = [QgsGeometry.fromRect(algorithm.parameterAsExtent(parameters, "EXTENT", context))]
        crs = algorithm.parameterAsExtentCrs(parameters, "EXTENT", context)
        if not crs.isValid():  # numbers alone, and no project: they are meant in the raster's
            crs = _first_raster(algorithm, parameters, context).crs()
    else:
        return None
    digest = hashlib.sha256(crs.toWkt().encode())
    for shape in shapes:
        digest.update(bytes(shape.asWkb()))
    name = f"area-{digest.hexdigest()[:16]}"
    file = str(kept_in / f"{name}.gpkg") if kept_in else _temporary(name)
    return _write_features(map(_feature, shapes), QgsFields(), crs, context, file)


def _first_raster(algorithm: Any, parameters: Mapping[str, Any], context: Any) -> Any:
    if "RASTERS" in parameters:
        return algorithm.parameterAsLayerList(parameters, "RASTERS", context)[0]
    return algorithm.parameterAsRasterLayer(parameters, "BEFORE", context)


def _feature(shape: Any) -> Any:
    feature = QgsFeature()
    feature.setGeometry(shape)
    return feature


def _temporary(name: str) -> str:
    return str(QgsProcessingUtils.generateTempFilename(f"{name}.gpkg"))


def _write_features(features: Any, fields: Any, crs: Any, context: Any, file: str) -> str:
    """Write features to a GeoPackage; gives its name. Raises PluginError."""
    if not crs.isValid():  # the file would be read as longitude and latitude
        raise PluginError("the polygons have no CRS; give one to their layer (Layer > Set CRS)")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = "changes"
    kind = QgsWkbTypes.Type.MultiPolygon
    writer = QgsVectorFileWriter.create(
        file, fields, kind, crs, context.transformContext(), options
    )
    for feature in features:
        geometry = feature.geometry()
        if geometry.isNull():
            continue
        geometry.convertToMultiType()
        feature.setGeometry(geometry)
        writer.addFeature(feature)
    failed = writer.errorMessage()
    del writer  # closes the file
    if failed:
        raise PluginError(f"{file}: {failed}; check the free space of the temporary folder")
    return file
