"""Check a pair: `geochange check`."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
)

from .. import runtime
from ..command.arguments import command_words, words_of
from ..command.results import check_lines
from .base import CommandAlgorithm
from .inputs import add_area, add_bands, add_pair, area_words, band_words, pair_names
from .parameters import is_given, values_of


class Check(CommandAlgorithm):
    """Looks at a pair before it is compared."""

    NAME = "check"
    TITLE = "Check a pair"
    ABOUT = (
        "Look at a pair before you compare it: when and where it was taken, how far one date is shifted "
        "against the other, what is missing or cloudy, and how much the light differs.",
        "It takes seconds. Every warning in the log has its cure.",
    )
    COMMAND = ("check",)
    BY_HAND = ("bands", "aoi")

    def initAlgorithm(self, configuration: Any = None) -> None:
        add_pair(self)
        add_bands(self)
        add_area(self)
        self.add_options()
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "OUTPUT", "All figures", "JSON files (*.json)", optional=True, createByDefault=False
            )
        )
        self.addOutput(QgsProcessingOutputNumber("WARNINGS", "Number of warnings"))
        self.addOutput(QgsProcessingOutputString("TEXT", "What was found"))

    def work(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        pair = pair_names(self, parameters, context)
        options = self.options()
        words = words_of(options, values_of(self, parameters, context, options))
        words += band_words(self, parameters, context)
        words += area_words(self, parameters, context)
        out = None
        if is_given(parameters, "OUTPUT"):
            out = self.parameterAsFileOutput(parameters, "OUTPUT", context)
            words.append(f"--json={out}")
        start = [*runtime.command().words, "check"]
        result = self.execute(command_words(start, words, pair), feedback)
        lines = check_lines(result)
        for line in lines:
            feedback.pushInfo(line)
        for warning in result["warnings"]:
            feedback.pushWarning(warning)
        told = {"WARNINGS": len(result["warnings"]), "TEXT": "\n".join(lines)}
        return {**told, "OUTPUT": out} if out else told
