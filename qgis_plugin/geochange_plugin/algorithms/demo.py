"""Make a demo pair: `geochange demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterFolderDestination,
    QgsProject,
)

from .. import runtime
from ..command.arguments import command_words, words_of
from .base import CommandAlgorithm, load
from .parameters import values_of
from .style import keep, style_on_load


class Demo(CommandAlgorithm):
    """Makes a pair with known changes, finds them, and loads all of it."""

    NAME = "demo"
    TITLE = "Make a demo pair"
    ABOUT = (
        "Makes a village, its fields, a forest and a pond at two dates. New houses, a hall, a road, a "
        "felled forest and a drained pond are the changes.",
        "It finds the changes, too, and loads both dates and the result: ready for the panel Review "
        "changes, or for a run of your own by Detect change.",
    )
    COMMAND = ("demo",)

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.add_options()
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder of the demo"))
        self.addOutput(QgsProcessingOutputRasterLayer("BEFORE", "before"))
        self.addOutput(QgsProcessingOutputRasterLayer("AFTER", "after"))
        self.addOutput(QgsProcessingOutputVectorLayer("CHANGES", "changes"))

    def work(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        folder = Path(self.parameterAsString(parameters, "OUTPUT", context))
        options = self.options()
        words = [
            f"--out={folder}",
            *words_of(options, values_of(self, parameters, context, options)),
        ]
        start = [*runtime.command().words, "demo"]
        result = self.execute(command_words(start, words, []), feedback)
        made = {
            "BEFORE": str(folder / "before.tif"),
            "AFTER": str(folder / "after.tif"),
            "CHANGES": result["out"],
        }
        for output, path in made.items():
            load(path, Path(path).stem, context, output)
        style_on_load(made["CHANGES"], context)
        _lay_below(made["BEFORE"], context)
        runtime.messenger.written.emit(made["CHANGES"])
        feedback.pushInfo(f"{result['polygons']:,} polygons, {result['changed_m2']:,.0f} m²")
        feedback.pushInfo("Review them by keys: Raster > geochange > Review changes")
        return {"OUTPUT": str(folder), **made}


class _Below(QgsProcessingLayerPostProcessorInterface):  # type: ignore[misc]
    """Lays a layer below all others: QGIS loads files in the order of their names."""

    def postProcessLayer(self, layer: Any, context: Any, feedback: Any) -> None:
        root = QgsProject.instance().layerTreeRoot()
        node = root.findLayer(layer.id())
        if node is not None and node.parent() is not None:
            root.addChildNode(node.clone())
            node.parent().removeChildNode(node)


def _lay_below(path: str, context: Any) -> None:
    if context.willLoadLayerOnCompletion(path):
        context.layerToLoadOnCompletionDetails(path).setPostProcessor(keep(_Below()))
