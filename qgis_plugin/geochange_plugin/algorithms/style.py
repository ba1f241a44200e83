"""The style of changes: that of their file, or the same for formats that hold none."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingLayerPostProcessorInterface

from .base import CHANGES_STYLE

_stylers: list[Any] = []
"""QGIS does not own what styles a layer; it must live until the layer is there."""


class _Styler(QgsProcessingLayerPostProcessorInterface):  # type: ignore[misc]
    """Gives a layer the style of changes."""

    def postProcessLayer(self, layer: Any, context: Any, feedback: Any) -> None:
        # Processing loads a layer without the style that a GeoPackage holds.
        if str(layer.source()).split("|")[0].lower().endswith(".gpkg"):
            layer.loadDefaultStyle()
        else:
            layer.loadNamedStyle(str(CHANGES_STYLE))
        layer.triggerRepaint()


def style_on_load(path: str, context: Any) -> None:
    """Style the layer of a file once QGIS has loaded it."""
    if not context.willLoadLayerOnCompletion(path):
        return
    context.layerToLoadOnCompletionDetails(path).setPostProcessor(keep(_Styler()))


def keep(processor: Any) -> Any:
    """Keep what treats a layer once it is loaded; gives it back."""
    _stylers[:] = [*_stylers[-9:], processor]
    return processor
