"""Learn from reviewed polygons: pipelines/finetune.py."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorLayer,
)

from .. import runtime
from ..command.arguments import command_words, words_of
from ..command.errors import PluginError
from ..command.results import gain_lines
from .base import CommandAlgorithm
from .inputs import (
    POLYGONS,
    add_bands,
    add_pair,
    band_words,
    pair_names,
    polygons_file,
    raster_name,
)
from .parameters import as_advanced, is_given, values_of

SHIPPED = "changeclip-small"
"""The model that geochange brings along."""


class Learn(CommandAlgorithm):
    """Tunes a model on polygons that somebody reviewed."""

    NAME = "learn"
    TITLE = "Learn from reviewed polygons"
    ABOUT = (
        "Review the changes first (panel Review changes), and draw and accept what was missed.",
        "The pair is cut into chips. A share of them is not learnt from; on it the model is measured "
        "before and after, and the log shows the gain.",
        "The new model is training/best.safetensors in the folder of results. Choose it in Detect change "
        "under Advanced. The same again goes on after an interruption; more reviews need a new folder.",
    )
    COMMAND = ("finetune.py",)
    BY_HAND = ("bands", "new", "config", "model")
    BASIC = ("reviewed",)

    def initAlgorithm(self, configuration: Any = None) -> None:
        raster = QgsProcessingParameterRasterLayer
        add_pair(self)
        self.addParameter(
            QgsProcessingParameterVectorLayer("POLYGONS", "Reviewed polygons", [POLYGONS])
        )
        add_bands(self)
        self.add_options()
        start = f"Weights to start from (else {SHIPPED})"
        self.addParameter(QgsProcessingParameterFile("WEIGHTS", start, optional=True))
        self.addParameter(as_advanced(raster("NEW_BEFORE", "New pair: before", optional=True)))
        self.addParameter(as_advanced(raster("NEW_AFTER", "New pair: after", optional=True)))
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder of results"))
        self.addOutput(QgsProcessingOutputFile("CHECKPOINT", "The tuned model"))
        self.addOutput(QgsProcessingOutputNumber("F1_BEFORE", "F1 before learning"))
        self.addOutput(QgsProcessingOutputNumber("F1_AFTER", "F1 after learning"))

    def add_options(self) -> None:
        """As the command has them, but that a review is expected."""
        super().add_options()
        if (reviewed := self.parameterDefinition("REVIEWED")) is not None:
            reviewed.setDefaultValue(True)

    def work(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        operands = pair_names(self, parameters, context)
        operands.append(polygons_file(self, parameters, "POLYGONS", context))
        out = self.parameterAsString(parameters, "OUTPUT", context)
        options = self.options()
        start = self.parameterAsFile(parameters, "WEIGHTS", context) or SHIPPED
        words = [
            f"--out={out}",
            f"--from={start}",
            *words_of(options, values_of(self, parameters, context, options)),
        ]
        words += band_words(self, parameters, context)
        words += self._new_pair(parameters, context)
        script = runtime.command().script(runtime.pipeline("finetune.py"))
        result = self.execute(command_words(script, words, operands), feedback)
        for line in gain_lines(result["gain"]):
            feedback.pushInfo(line)
        return {
            "OUTPUT": out,
            "CHECKPOINT": result["checkpoint"],
            "F1_BEFORE": result["gain"]["before"]["f1"],
            "F1_AFTER": result["gain"]["after"]["f1"],
        }

    def _new_pair(self, parameters: Any, context: Any) -> list[str]:
        given = [is_given(parameters, name) for name in ("NEW_BEFORE", "NEW_AFTER")]
        if not any(given):
            return []
        if not all(given):
            raise PluginError("one date of the new pair is given; give both, or none")
        names = ("NEW_BEFORE", "NEW_AFTER")
        return ["--new", *(raster_name(self, parameters, name, context) for name in names)]
