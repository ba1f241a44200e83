"""The form of an algorithm, opened from the menu or the panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def open_algorithm(name: str, given: Mapping[str, Any]) -> None:
    """Show the form of an algorithm with some values filled in; the map can be used meanwhile."""
    from processing import createAlgorithmDialog  # type: ignore[import-not-found]  # of QGIS

    form = createAlgorithmDialog(f"geochange:{name}", dict(given))
    if form is not None:  # QGIS has said why
        form.show()
