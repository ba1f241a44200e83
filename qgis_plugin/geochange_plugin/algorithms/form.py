"""The form of an algorithm, opened from the menu or the panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProject, QgsRasterLayer

from ..command.pair import guess_pair

_forms: dict[int, Any] = {}
"""The open forms. QGIS keeps the window but not its Python part, without which Run does nothing."""


def open_algorithm(name: str, given: Mapping[str, Any]) -> Any | None:
    """Show the form of an algorithm with some values filled in; the map can be used meanwhile.

    Gives the form; None where QGIS has said why there is none.
    """
    from processing import createAlgorithmDialog  # type: ignore[import-not-found]  # of QGIS

    form = createAlgorithmDialog(f"geochange:{name}", dict(given))
    if form is None:
        return None
    key = id(form)
    _forms[key] = form
    form.destroyed.connect(lambda *_: _forms.pop(key, None))
    form.show()
    return form


def given_pair() -> dict[str, str]:
    """Before and After among the rasters of the project, as far as their names tell.

    Left alone, a form chooses the current layer for both.
    """
    order = QgsProject.instance().layerTreeRoot().layerOrder()
    rasters = [layer for layer in order if isinstance(layer, QgsRasterLayer)]
    files = [layer for layer in rasters if layer.providerType() == "gdal"]
    pair = guess_pair([layer.name() for layer in files])
    return {} if pair is None else {"BEFORE": files[pair[0]].id(), "AFTER": files[pair[1]].id()}
