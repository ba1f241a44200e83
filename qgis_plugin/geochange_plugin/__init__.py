"""geochange in QGIS. It imports nothing of geochange: it runs the command in its own environment."""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: N802 - QGIS looks for this name
    """The plugin, for QGIS to load. iface: QGIS's window, or None in `qgis_process`."""
    from .plugin import Plugin

    return Plugin(iface)
