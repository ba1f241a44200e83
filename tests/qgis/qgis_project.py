"""Runs in QGIS's own Python: opens the project in a GeoPackage, says what it found, and draws.

    QT_QPA_PLATFORM=offscreen python3 qgis_project.py changes.gpkg picture.png

It uses nothing of geochange. What it finds goes to standard output as one JSON object.
"""

import json
import os
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def describe(layer):
    found = {
        "name": layer.name(),
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "source": layer.source(),
        "renderer": layer.renderer().type(),
    }
    if isinstance(layer, QgsVectorLayer):
        fields = layer.fields()
        found["features"] = layer.featureCount()
        found["aliases"] = {field.name(): field.alias() for field in fields}
        found["styles"] = layer.styleManager().styles()
        status = fields.indexOf("status")
        if status >= 0:
            setup = layer.editorWidgetSetup(status)
            found["widget"] = [setup.type(), setup.config()]
            found["default"] = layer.defaultValueDefinition(status).expression()
            found["styled"] = {}
            found["style"] = layer.styleManager().currentStyle()
            for style in found["styles"]:
                layer.styleManager().setCurrentStyle(style)
                renderer = layer.renderer()
                kind = renderer.type()
                listed = renderer.categories() if kind == "categorizedSymbol" else []
                found["styled"][style] = [kind, [category.label() for category in listed]]
            layer.styleManager().setCurrentStyle(found["style"])
    elif found["renderer"] == "multibandcolor":
        renderer = layer.renderer()
        found["bands"] = [renderer.redBand(), renderer.greenBand(), renderer.blueBand()]
        contrast = renderer.redContrastEnhancement()
        found["red"] = [contrast.minimumValue(), contrast.maximumValue()] if contrast else None
    return found


def draw(project, layers, picture):
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setExtent(project.viewSettings().defaultViewExtent())
    settings.setDestinationCrs(project.crs())
    settings.setOutputSize(QSize(900, 900))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    assert job.renderedImage().save(picture), picture


def main(package, picture):
    application = QgsApplication([], False)
    application.initQgis()
    project = QgsProject.instance()
    opened = project.read(f"geopackage:{package}?projectName=changes")
    tree = project.layerTreeRoot()
    extent = project.viewSettings().defaultViewExtent()
    order = list(tree.layerOrder())
    found = {
        "opened": opened,
        "error": project.error(),
        "crs": project.crs().authid(),
        "layers": [describe(layer) for layer in order],
        "visible": [layer.name() for layer in tree.checkedLayers()],
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
    }
    print(json.dumps(found), flush=True)
    visible = [layer for layer in order if tree.findLayer(layer.id()).isVisible()]
    draw(project, visible, picture)
    draw(project, order, picture.replace(".png", "-all.png"))
    changes = order[0]
    for style in changes.styleManager().styles():
        changes.styleManager().setCurrentStyle(style)
        draw(project, visible, picture.replace(".png", f"-{style}.png"))
    # QGIS may wait for ever at its end for what a GeoPackage's connections hold.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
