"""Runs in QGIS's own Python: opens the outputs as a user would, says what it found, and draws.

    QT_QPA_PLATFORM=offscreen python3 qgis_render.py changes.gpkg changes.tif picture.png photo.tif

It uses nothing of geochange. What it finds goes to standard output as one JSON object; the
photo is drawn underneath.
"""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def describe_vector(layer):
    renderer = layer.renderer()
    graduated = renderer.type() == "graduatedSymbol"
    return {
        "valid": layer.isValid(),
        "features": layer.featureCount(),
        "crs": layer.crs().authid(),
        "fields": [field.name() for field in layer.fields()],
        "renderer": renderer.type(),
        "attribute": renderer.classAttribute() if graduated else "",
        "classes": [r.label() for r in renderer.ranges()] if graduated else [],
        "symbol_layers": [r.symbol().symbolLayerCount() for r in renderer.ranges()]
        if graduated
        else [],
    }


def describe_raster(layer):
    renderer = layer.renderer()
    paletted = renderer.type() == "paletted"
    return {
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "renderer": renderer.type(),
        "colors": {int(c.value): c.color.getRgb() for c in renderer.classes()} if paletted else {},
        "nodata": layer.dataProvider().sourceNoDataValue(1),
    }


def draw(layers, picture):
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setExtent(layers[-1].extent())
    settings.setDestinationCrs(layers[-1].crs())
    settings.setOutputSize(QSize(800, 800))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    assert job.renderedImage().save(picture), picture


def main(changes, probability, picture, photo):
    application = QgsApplication([], False)
    application.initQgis()
    vector = QgsVectorLayer(f"{changes}|layername=changes", "changes", "ogr")
    raster = QgsRasterLayer(probability, "probability")
    run = QgsVectorLayer(f"{changes}|layername=geochange_run", "run", "ogr")
    ground = QgsRasterLayer(photo, "photo")
    found = {"vector": describe_vector(vector), "raster": describe_raster(raster)}
    found["run"] = {feature["key"]: feature["value"] for feature in run.getFeatures()}
    print(json.dumps(found))
    draw([vector, ground], picture)
    draw([raster], picture.replace(".png", "-probability.png"))
    del vector, raster, run, ground  # before QGIS itself goes
    application.exitQgis()


if __name__ == "__main__":
    main(*sys.argv[1:])
