"""The Processing provider "geochange"."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from . import runtime
from .algorithms.check import Check
from .algorithms.compare import Compare
from .algorithms.demo import Demo
from .algorithms.detect import Detect
from .algorithms.learn import Learn
from .algorithms.monitor import Monitor
from .algorithms.polygonize import Polygonize

ALGORITHMS = (Check, Detect, Polygonize, Compare, Learn, Monitor, Demo)


class Provider(QgsProcessingProvider):  # type: ignore[misc]
    """Lists the algorithms."""

    def id(self) -> str:
        return "geochange"

    def name(self) -> str:
        return "geochange"

    def icon(self) -> Any:
        return QIcon(str(runtime.HERE / "icon.svg"))

    def loadAlgorithms(self) -> None:
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())

    def defaultVectorFileExtension(self, hasGeometry: bool = True) -> str:  # noqa: N803
        return "gpkg"

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        return ["gpkg", "geojson", "fgb", "parquet"]
