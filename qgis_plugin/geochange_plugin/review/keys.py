"""The keys of the review."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QKeySequence

from ..compat import QShortcut


def keys_of(
    widget: Any, actions: Mapping[Any, Callable[[], object]], children: bool = False
) -> list[Any]:
    """Keys that work while a widget has the focus; the map has them while the dock is open.

    actions: by Qt.Key. children: whether they work in the widgets inside, too.
    """
    context = Qt.ShortcutContext
    where = context.WidgetWithChildrenShortcut if children else context.WidgetShortcut
    made = []
    for code, action in actions.items():
        shortcut = QShortcut(QKeySequence(code), widget)
        shortcut.setContext(where)
        shortcut.activated.connect(action)
        made.append(shortcut)
    return made
