"""Detect with time: pipelines/monitor.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
)

from .. import runtime
from ..command.arguments import command_words, settings_of, words_of
from ..command.errors import PluginError
from ..command.options import Option, form_options
from .base import SILENT, CommandAlgorithm, load
from .inputs import add_area, area_words, name_of_raster
from .parameters import parameter_of, values_of
from .style import style_on_load

RASTERS = QgsProcessing.SourceType.TypeRaster


class Monitor(CommandAlgorithm):
    """Finds what changed from date to date."""

    NAME = "monitor"
    TITLE = "Detect with time"
    ABOUT = (
        "Choose rasters of one place whose dates are in their metadata or in their names "
        "(2024-05-31, 20240531).",
        "Each date is compared with the next one, or the first with the last. The result has the dates "
        "of each change: the temporal controller plays it.",
        "Pairs that are done are not run again: start the same again after a new date was added.",
    )
    COMMAND = ("monitor.py",)
    BY_HAND = ("aoi", "collection", "dates", "asset", "clouds", "settings")
    OF_RUN = ("bands", "aoi", "report", "overwrite", "keep_work")
    """Options of `run` that have no place here; the others are passed on to it."""
    BASIC = ("pairs",)

    def run_options(self) -> list[Option]:
        """The options of `geochange run` that hold for each pair."""
        manual = runtime.cached_help()
        return form_options(manual.options("run"), (*SILENT, *self.OF_RUN)) if manual else []

    def initAlgorithm(self, configuration: Any = None) -> None:
        self.addParameter(QgsProcessingParameterMultipleLayers("RASTERS", "Dated rasters", RASTERS))
        add_area(self)
        self.add_options()
        for option in self.run_options():
            self.addParameter(parameter_of(option, option.name not in ("model", "min_area")))
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder of results"))
        self.addOutput(QgsProcessingOutputVectorLayer("CHANGES", "Changes with their dates"))
        self.addOutput(QgsProcessingOutputNumber("COUNT", "Number of polygons"))

    def work(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        layers = self.parameterAsLayerList(parameters, "RASTERS", context)
        if len(layers) < 2:
            raise PluginError("RASTERS: two rasters or more are compared; choose more of them")
        out = self.parameterAsString(parameters, "OUTPUT", context)
        Path(out).mkdir(parents=True, exist_ok=True)
        options, of_run = self.options(), self.run_options()
        words = [
            f"--out={out}",
            *words_of(options, values_of(self, parameters, context, options)),
            *settings_of(of_run, values_of(self, parameters, context, of_run)),
        ]
        words += area_words(self, parameters, context, kept_in=Path(out))
        start = runtime.command().script(runtime.pipeline("monitor.py"))
        names = [name_of_raster(layer) for layer in layers]
        result = self.execute(command_words(start, words, names), feedback)
        layer = f"{result['out']}|layername=changes"
        load(layer, "Changes with their dates", context, "CHANGES")
        style_on_load(layer, context)
        runtime.messenger.written.emit(result["out"])
        feedback.pushInfo(f"{result['changes']:,} changes")
        return {"OUTPUT": out, "CHANGES": result["out"], "COUNT": result["changes"]}
