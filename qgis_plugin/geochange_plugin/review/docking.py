"""Where the dock stands among others."""

from __future__ import annotations

from typing import Any

from qgis.PyQt.QtWidgets import QDockWidget


def tab_if_cut_off(dock: Any, window: Any, needed_px: int) -> None:
    """Make a dock a tab of another one where docks below each other leave it too little height.

    Processing opens the viewer of results after each run, just before a review begins.
    """
    if dock.isFloating() or not dock.isVisible() or dock.height() >= needed_px:
        return
    area = window.dockWidgetArea(dock)
    for other in window.findChildren(QDockWidget):
        below = other is not dock and other.isVisible() and not other.isFloating()
        if below and window.dockWidgetArea(other) == area:
            if other not in window.tabifiedDockWidgets(dock):
                window.tabifyDockWidget(other, dock)
            dock.raise_()
            return
