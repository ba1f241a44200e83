"""Detect change: `geochange run`."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingOutputHtml,
    QgsProcessingOutputNumber,
    QgsProcessingOutputRasterLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFile,
    QgsProcessingParameterVectorDestination,
)

from .. import runtime
from ..command.arguments import command_words, words_of
from .base import CommandAlgorithm, load, output_file
from .inputs import (
    POLYGONS,
    add_area,
    add_bands,
    add_pair,
    area_words,
    band_words,
    pair_names,
)
from .parameters import as_advanced, is_given, values_of
from .style import style_on_load


class Detect(CommandAlgorithm):
    """Finds what changed between two rasters."""

    NAME = "detect"
    TITLE = "Detect change"
    ABOUT = (
        "Choose the raster before and the raster after. They may differ in CRS, resolution and extent. "
        "For multispectral rasters choose three bands: red, green, blue.",
        "The result is a layer of polygons with their confidence, their area and a status for your "
        "review (panel Review changes). Beside the file lie the probability of change (.tif) and a "
        "report (.html).",
        "Save the result to a file rather than a temporary layer: a run that was cancelled then goes on "
        "when the same is started again. No run overwrites a review, unless Overwrite is ticked.",
        "A model that you tuned, or wrote yourself (package.module:Class), has a field of its own under "
        "Advanced.",
    )
    COMMAND = ("run",)
    BY_HAND = ("bands", "aoi")
    BASIC = ("model", "threshold", "min_area", "coregister")

    def initAlgorithm(self, configuration: Any = None) -> None:
        add_pair(self)
        add_bands(self)
        add_area(self)
        self.add_options()
        weights = QgsProcessingParameterFile(
            "WEIGHTS", "Model: weights, or module:Class", optional=True
        )
        weights.setHelp(
            "A file of weights, or package.module:Class of a model of your own that is installed "
            "where geochange is. It goes before the model above."
        )
        self.addParameter(as_advanced(weights))
        self.addParameter(
            as_advanced(
                QgsProcessingParameterBoolean(
                    "LOAD_PROBABILITY", "Load the probability of change", defaultValue=False
                )
            )
        )
        self.addParameter(QgsProcessingParameterVectorDestination("OUTPUT", "Changes", POLYGONS))
        self.addOutput(QgsProcessingOutputRasterLayer("PROBABILITY", "Probability of change"))
        self.addOutput(QgsProcessingOutputHtml("REPORT", "Report of the run"))
        self.addOutput(QgsProcessingOutputNumber("POLYGONS", "Number of polygons"))
        self.addOutput(QgsProcessingOutputNumber("CHANGED_M2", "Area of change, square metres"))

    def work(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        pair = pair_names(self, parameters, context)
        out = output_file(self.parameterAsOutputLayer(parameters, "OUTPUT", context))
        options = self.options()
        values = values_of(self, parameters, context, options)
        if is_given(parameters, "WEIGHTS"):
            values["model"] = self.parameterAsFile(parameters, "WEIGHTS", context)
        words = [f"--out={out}", *words_of(options, values)]
        words += band_words(self, parameters, context)
        words += area_words(self, parameters, context)
        start = [*runtime.command().words, "run"]
        result = self.execute(command_words(start, words, pair), feedback)
        if result["resumed"]:
            feedback.pushInfo("It went on where an earlier run of the same had ended.")
        style_on_load(out, context)
        runtime.messenger.written.emit(out)
        if self.parameterAsBool(parameters, "LOAD_PROBABILITY", context):
            load(result["raster"], "Probability of change", context, "PROBABILITY")
        feedback.pushInfo(f"{result['polygons']:,} polygons, {result['changed_m2']:,.0f} m²")
        feedback.pushInfo("Review them by keys: Raster > geochange > Review changes")
        return {
            "OUTPUT": out,
            "PROBABILITY": result["raster"],
            "REPORT": result["report"],
            "POLYGONS": result["polygons"],
            "CHANGED_M2": result["changed_m2"],
        }
