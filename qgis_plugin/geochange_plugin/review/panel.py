"""The widgets of the review panel, without what they do."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsMapLayerProxyModel
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from .session import ORDERS

ALL = "all classes"

VECTOR = QgsMapLayerProxyModel.Filter.PolygonLayer
RASTER = QgsMapLayerProxyModel.Filter.RasterLayer


class Panel(QWidget):  # type: ignore[misc]
    """Choosers on top, then what is looked at, the buttons, and the two dates."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.before, self.after = (QgsMapLayerComboBox() for _ in range(3))
        self.layer.setFilters(VECTOR)
        for date in (self.before, self.after):
            date.setFilters(RASTER)
            date.setAllowEmptyLayer(True)
        self.order, self.name = QComboBox(), QComboBox()
        self.order.addItems(list(ORDERS))
        self.lowest, self.highest = _per_cent(0), _per_cent(100)
        self.new_first = QCheckBox("Not yet reviewed first")
        self.new_first.setChecked(True)
        self.bar, self.counts = QProgressBar(), QLabel()
        self.shown, self.message = QLabel(), QLabel()
        for label in (self.counts, self.shown, self.message):
            label.setWordWrap(True)
        self.shown.setTextFormat(Qt.TextFormat.RichText)
        self.accept, self.reject = QPushButton("Accept (A)"), QPushButton("Reject (R)")
        self.unset, self.undo = QPushButton("Unset (U)"), QPushButton("Undo (Z)")
        self.back, self.next = QPushButton("◀ Previous"), QPushButton("Next ▶")
        self.accept.setStyleSheet("QPushButton { color: #12703a; font-weight: bold }")
        self.reject.setStyleSheet("QPushButton { color: #b00020; font-weight: bold }")
        self.flicker = QPushButton("Flicker (space)")
        self.hide_changes = QPushButton("Hide changes (H)")
        self.hide_changes.setToolTip("What lies below them; the outline of the current one stays")
        self.swipe = QSlider(Qt.Orientation.Horizontal)
        self.swipe.setRange(0, 100)
        self.swipe.setToolTip("Draws the date before over the left part of the map")
        self.copy = QPushButton("Review a copy (GeoPackage)")
        self.learn = QPushButton("Learn from this review...")
        self._lay_out()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Changes", self.layer)
        form.addRow("Order", self.order)
        form.addRow("Class", self.name)
        form.addRow("Confidence", _side_by_side(self.lowest, QLabel("to"), self.highest))
        form.addRow(self.new_first)
        keys = QGridLayout()
        buttons = (self.accept, self.reject, self.unset, self.undo, self.back, self.next)
        for number, button in enumerate(buttons):
            keys.addWidget(button, number // 2, number % 2)
        dates = QFormLayout()
        dates.addRow("Before", self.before)
        dates.addRow("After", self.after)
        dates.addRow("Swipe", self.swipe)
        dates.addRow(_side_by_side(self.flicker, self.hide_changes))
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        for widget in (self.bar, self.counts, self.shown):
            layout.addWidget(widget)
        layout.addLayout(keys)
        layout.addLayout(dates)
        for widget in (self.message, self.copy, self.learn):
            layout.addWidget(widget)
        layout.addStretch()

    def fill_names(self, names: list[str]) -> None:
        """Offer the classes that there are."""
        self.name.blockSignals(True)
        self.name.clear()
        self.name.addItems([ALL, *names])
        self.name.setEnabled(bool(names))
        self.name.blockSignals(False)

    def set_reviewable(self, able: bool) -> None:
        """Switch the buttons that change something."""
        for button in (self.accept, self.reject, self.unset, self.undo, self.learn):
            button.setEnabled(able)


def _per_cent(value: int) -> Any:
    box = QDoubleSpinBox()
    box.setRange(0, 100)
    box.setDecimals(0)
    box.setSuffix(" %")
    box.setValue(value)
    box.setKeyboardTracking(False)
    return box


def _side_by_side(*widgets: Any) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch()
    return row
