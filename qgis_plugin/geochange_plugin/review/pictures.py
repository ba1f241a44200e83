"""The two dates under the changes: flickering between them, and a swipe from one to the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsMapRendererParallelJob, QgsMapSettings, QgsProject, QgsRasterLayer
from qgis.gui import QgsMapCanvasItem
from qgis.PyQt.QtCore import QRectF, Qt
from qgis.PyQt.QtGui import QColor, QPen


def layer_of(path: str, word: str) -> Any | None:
    """The raster layer of a file, or else one that is called by a word; None if there is none."""
    rasters = [
        layer
        for layer in QgsProject.instance().mapLayers().values()
        if isinstance(layer, QgsRasterLayer)
    ]
    for layer in rasters:
        if path and _same(str(layer.source()).split("|")[0], path):
            return layer
    return next((layer for layer in rasters if word in layer.name().lower()), None)


def _same(one: str, other: str) -> bool:
    return one == other or (bool(one) and Path(one).resolve() == Path(other).resolve())


def is_shown(layer: Any) -> bool:
    """Whether a layer is switched on in the project."""
    node = QgsProject.instance().layerTreeRoot().findLayer(layer.id())
    return node is not None and node.isVisible()


def show_layer(layer: Any, shown: bool) -> None:
    """Switch a layer on or off."""
    node = QgsProject.instance().layerTreeRoot().findLayer(layer.id())
    if node is not None:
        node.setItemVisibilityChecked(shown)


def flicker(before: Any, after: Any) -> str:
    """Show the other date; gives its name. The upper one of the two is switched on and off."""
    root = QgsProject.instance().layerTreeRoot()
    order = [layer.id() for layer in root.layerOrder()]
    upper, lower = sorted((before, after), key=lambda layer: order.index(layer.id()))
    show_layer(lower, True)
    show_layer(upper, not is_shown(upper))
    return str(upper.name() if is_shown(upper) else lower.name())


class Swipe(QgsMapCanvasItem):  # type: ignore[misc]
    """Draws one date over the left part of the map, up to a line that can be moved."""

    def __init__(self, canvas: Any) -> None:
        super().__init__(canvas)
        self.canvas, self.layer, self.share = canvas, None, 0.0
        self.job: Any | None = None
        self.image: Any | None = None
        canvas.mapCanvasRefreshed.connect(self.render)
        self.setZValue(-1)  # below the outline of the change

    def set(self, layer: Any, share: float) -> None:
        """Show a layer over so much of the map, 0 to 1."""
        other = layer is not self.layer
        self.layer, self.share = layer, share
        if share > 0 and (other or self.image is None):
            self.render()
        self.setVisible(share > 0)
        self.update()

    def render(self) -> None:
        """Draw the layer for the part of the ground that the map shows."""
        if self.layer is None or self.share <= 0:
            return
        self._stop()
        settings = QgsMapSettings(self.canvas.mapSettings())
        settings.setLayers([self.layer])
        settings.setBackgroundColor(QColor(255, 255, 255))
        self.job = QgsMapRendererParallelJob(settings)
        self.job.finished.connect(self._rendered)
        self.job.start()

    def remove(self) -> None:
        """Take it off the map."""
        self._stop()
        self.canvas.mapCanvasRefreshed.disconnect(self.render)
        self.canvas.scene().removeItem(self)

    def _stop(self) -> None:
        if self.job is not None:
            self.job.finished.disconnect(self._rendered)
            self.job.cancelWithoutBlocking()
            self.job = None

    def _rendered(self) -> None:
        if self.job is not None:
            self.image, self.job = self.job.renderedImage(), None
            self.update()

    def boundingRect(self) -> Any:
        return QRectF(self.canvas.viewport().rect())

    def paint(self, painter: Any, option: Any = None, widget: Any = None) -> None:
        if self.image is None or self.share <= 0:
            return
        painter.resetTransform()
        shown = self.canvas.viewport().rect()
        width, height = shown.width(), shown.height()
        edge = self.share * width
        painter.setClipRect(QRectF(0, 0, edge, height))
        painter.drawImage(QRectF(0, 0, width, height), self.image)
        painter.setClipping(False)
        painter.setPen(QPen(QColor(255, 255, 255), 3, Qt.PenStyle.SolidLine))
        painter.drawLine(int(edge), 0, int(edge), height)
