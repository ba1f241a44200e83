"""Compare with reference polygons: `geochange evaluate`."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorLayer,
)

from .. import runtime
from ..command.arguments import command_words, words_of
from ..command.options import Option
from ..command.results import FIGURES, comparison_lines
from .base import CommandAlgorithm
from .inputs import POLYGONS, area_words, polygons_file, raster_name
from .parameters import as_advanced, is_given, values_of


class Compare(CommandAlgorithm):
    """Measures polygons against a reference."""

    NAME = "compare"
    TITLE = "Compare with reference polygons"
    ABOUT = (
        "Choose the changes that were found, and polygons of what really changed.",
        "They are compared on the grid of the run that wrote the changes, pixel by pixel, by their "
        "boundaries, and polygon by polygon. The file of all figures holds the polygons by size.",
    )
    COMMAND = ("evaluate",)
    SHOWN = ("pixel", "tolerance")
    BASIC = ("tolerance",)

    def options(self) -> list[Option]:
        """Only those for polygons; the others are for models and chips."""
        return [option for option in super().options() if option.name in self.SHOWN]

    def initAlgorithm(self, configuration: Any = None) -> None:
        layer = QgsProcessingParameterVectorLayer
        self.addParameter(layer("FOUND", "Changes that were found", [POLYGONS]))
        self.addParameter(layer("REFERENCE", "Reference polygons", [POLYGONS]))
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "AREA", "Only within these polygons", [POLYGONS], optional=True
            )
        )
        self.add_options()
        grid = QgsProcessingParameterRasterLayer(
            "GRID", "Compare on the grid of this raster", optional=True
        )
        self.addParameter(as_advanced(grid))
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "OUTPUT", "All figures", "JSON files (*.json)", optional=True, createByDefault=False
            )
        )
        for name in (*FIGURES, "boundary_f1"):
            title = name.replace("_", " ").capitalize()
            self.addOutput(QgsProcessingOutputNumber(name.upper(), title))

    def work(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        files = [polygons_file(self, parameters, name, context) for name in ("FOUND", "REFERENCE")]
        options = self.options()
        words = words_of(options, values_of(self, parameters, context, options))
        words += area_words(self, parameters, context, "--within")
        if is_given(parameters, "GRID"):
            words.append(f"--extent={raster_name(self, parameters, 'GRID', context)}")
        told: dict[str, Any] = {}
        if is_given(parameters, "OUTPUT"):
            told["OUTPUT"] = self.parameterAsFileOutput(parameters, "OUTPUT", context)
            words.append(f"--json={told['OUTPUT']}")
        start = [*runtime.command().words, "evaluate"]
        result = self.execute(command_words(start, words, files), feedback)
        for line in comparison_lines(result):
            feedback.pushInfo(line)
        told.update({name.upper(): result["pixels"][name] for name in FIGURES})
        return {**told, "BOUNDARY_F1": result["boundary"]["f1"]}
