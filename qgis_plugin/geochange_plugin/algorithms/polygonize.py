"""Polygonise again: `geochange polygonize`."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)

from .. import runtime
from ..command.arguments import command_words, words_of
from .base import CommandAlgorithm, output_file
from .inputs import POLYGONS, raster_name
from .parameters import values_of
from .style import style_on_load


class Polygonize(CommandAlgorithm):
    """Draws the polygons of a run again."""

    NAME = "polygonize"
    TITLE = "Polygonise again"
    ABOUT = (
        "Choose the probability of change (.tif) that Detect change wrote beside its polygons.",
        "Another threshold, smallest area or outline takes seconds: the network does not run again.",
    )
    COMMAND = ("polygonize",)
    BASIC = ("threshold", "min_area", "orthogonal")

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Probability of change"))
        self.add_options()
        self.addParameter(QgsProcessingParameterVectorDestination("OUTPUT", "Changes", POLYGONS))
        self.addOutput(QgsProcessingOutputNumber("POLYGONS", "Number of polygons"))

    def work(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        raster = raster_name(self, parameters, "INPUT", context)
        out = output_file(self.parameterAsOutputLayer(parameters, "OUTPUT", context))
        options = self.options()
        words = [
            f"--out={out}",
            *words_of(options, values_of(self, parameters, context, options)),
        ]
        start = [*runtime.command().words, "polygonize"]
        result = self.execute(command_words(start, words, [raster]), feedback)
        style_on_load(out, context)
        runtime.messenger.written.emit(out)
        feedback.pushInfo(f"{result['polygons']:,} polygons, {result['changed_m2']:,.0f} m²")
        return {"OUTPUT": out, "POLYGONS": result["polygons"]}
