"""The dock "Review changes": what its buttons and keys do to the layer and the map."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from qgis.core import QgsCoordinateTransform, QgsProject
from qgis.gui import QgsDockWidget, QgsHighlight
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QScrollArea

from ..algorithms.form import open_algorithm
from ..command.errors import PluginError
from . import layer as store
from .docking import tab_if_cut_off
from .keys import keys_of
from .panel import ALL, Panel
from .pictures import Swipe, flicker, is_shown, layer_of, show_layer
from .session import ACCEPT, REJECT, UNSET, Edit, Filter, Session

AROUND = 3.0
"""The map shows so many times the size of a change."""

SMALLEST_PX = 60.0
"""A change of a few pixels is shown with so many pixels of the raster around it."""

WORDS = {UNSET: "not reviewed", ACCEPT: "accepted", REJECT: "rejected"}


class ReviewDock(QgsDockWidget):  # type: ignore[misc]
    """The dock. It works on the layer that is chosen in it."""

    def __init__(self, iface: Any) -> None:
        super().__init__("Review changes", iface.mainWindow())
        self.setObjectName("geochange_review")
        self.iface, self.canvas = iface, iface.mapCanvas()
        self.session = Session.of([])
        self.layer: Any | None = None
        self.outline: Any | None = None
        self.swipe = Swipe(self.canvas)
        self.panel = Panel()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self.panel)
        self.setWidget(area)
        actions = self._actions()
        self.keys = [*keys_of(self, actions, children=True), *keys_of(self.canvas, actions)]
        self._connect()
        self.visibilityChanged.connect(self._set_visible)
        QgsProject.instance().layersAdded.connect(self._choose_dates)

    def _connect(self) -> None:
        panel = self.panel
        panel.layer.layerChanged.connect(self.open)
        for button, status in (
            (panel.accept, ACCEPT),
            (panel.reject, REJECT),
            (panel.unset, UNSET),
        ):
            button.clicked.connect(lambda _=False, status=status: self.say(status))
        panel.undo.clicked.connect(lambda: self.undo())
        panel.back.clicked.connect(lambda: self.step(-1))
        panel.next.clicked.connect(lambda: self.step(1))
        panel.flicker.clicked.connect(lambda: self.flicker())
        panel.hide_changes.clicked.connect(lambda: self.hide_changes())
        panel.copy.clicked.connect(lambda: self.copy())
        panel.learn.clicked.connect(lambda: self.learn())
        panel.swipe.valueChanged.connect(self._update_swipe)
        panel.before.layerChanged.connect(lambda: self._update_swipe())
        for signal in (
            panel.order.currentIndexChanged,
            panel.name.currentIndexChanged,
            panel.lowest.valueChanged,
            panel.highest.valueChanged,
            panel.new_first.toggled,
        ):
            signal.connect(lambda *_: self.arrange())

    def _actions(self) -> dict[Any, Callable[[], object]]:
        key = Qt.Key
        return {
            key.Key_A: lambda: self.say(ACCEPT),
            key.Key_R: lambda: self.say(REJECT),
            key.Key_U: lambda: self.say(UNSET),
            key.Key_Z: self.undo,
            key.Key_Right: lambda: self.step(1),
            key.Key_Left: lambda: self.step(-1),
            key.Key_Space: self.flicker,
            key.Key_H: self.hide_changes,
        }

    def open(self, layer: Any) -> None:
        """Review a layer; None or one without a status closes the review.

        While the dock is hidden nothing is read: any layer may be the first in its list.
        """
        able = self.isVisible() and store.can_be_reviewed(layer)
        self.layer = layer if able else None
        self.session = Session.of(store.changes_of(layer) if able else [])
        self.panel.fill_names(self.session.names())
        writable = able and store.can_be_saved(layer)
        self.panel.set_reviewable(writable)
        self.panel.copy.setVisible(able and not writable)
        if not able:
            self.tell("Choose a layer that Detect change wrote: polygons with a field status.")
        elif not writable:
            self.tell("This format cannot be changed in place. Review a copy of it.")
        else:
            self.tell("")
            self._choose_dates()
        self.arrange()

    def _choose_dates(self, *_: Any) -> None:
        """Choose both dates, as far as the user has not."""
        boxes = {"before": self.panel.before, "after": self.panel.after}
        missing = {word: box for word, box in boxes.items() if box.currentLayer() is None}
        if self.layer is None or not missing:
            return
        run = store.run_record_of(self.layer)
        for word, box in missing.items():
            box.setLayer(layer_of(run.get(word, ""), word))

    def arrange(self) -> None:
        """Go through the changes in the order and with the filter that are chosen."""
        panel = self.panel
        name = panel.name.currentText()
        filtered = Filter(
            None if name in ("", ALL) else name,
            panel.lowest.value() / 100,
            panel.highest.value() / 100,
        )
        self.session.arrange(panel.order.currentText(), filtered, panel.new_first.isChecked())
        self._show()

    def say(self, status: str) -> None:
        """Give the current change a status, save it, and go on."""
        edit = self.session.edit(status)
        if edit is not None and self._save(edit):
            self.session.note_saved(edit)
            if status == UNSET:
                self._show()
            else:
                self.session.next_new()
                self._show()

    def undo(self) -> None:
        """Take the last status back, and show its change again."""
        edit = self.session.undo_edit()
        if edit is not None and self._save(edit):
            self.session.note_undone(edit)
            self._show()

    def step(self, by: int) -> None:
        """Go on or back without a word."""
        self.session.step(by)
        self._show()

    def flicker(self) -> None:
        """Show the other date."""
        dates = self.panel.before.currentLayer(), self.panel.after.currentLayer()
        if None in dates or dates[0] is dates[1]:
            self.tell("Choose the layers Before and After to flicker between them.")
            return
        self.tell(f"Shown: {flicker(*dates)}")

    def hide_changes(self) -> None:
        """Hide the changes, or show them again: the outline of the current one stays on the ground."""
        if self.layer is not None:
            show_layer(self.layer, not is_shown(self.layer))

    def copy(self) -> None:
        """Review a copy in a format that can be changed."""
        if self.layer is None:
            return
        try:
            copied = store.copy_to_review(self.layer)
        except PluginError as error:
            self._fail(str(error))
            return
        QgsProject.instance().addMapLayer(copied)
        self.panel.layer.setLayer(copied)

    def learn(self) -> None:
        """Hand what was reviewed to the algorithm that learns from it."""
        dates = {
            "BEFORE": self.panel.before.currentLayer(),
            "AFTER": self.panel.after.currentLayer(),
        }
        given = {name: layer.id() for name, layer in dates.items() if layer is not None}
        if self.layer is not None:
            given["POLYGONS"] = self.layer.id()
            given["OUTPUT"] = store.folder_to_learn_in(self.layer)
        open_algorithm("learn", {name: value for name, value in given.items() if value})

    def tell(self, text: str) -> None:
        """A line at the foot of the panel."""
        self.panel.message.setText(text)

    def close_review(self) -> None:
        """Leave nothing behind on the map."""
        QgsProject.instance().layersAdded.disconnect(self._choose_dates)
        self.swipe.remove()
        self._clear_outline()
        for key in self.keys:
            key.setParent(None)
            key.deleteLater()

    def _save(self, edit: Edit) -> bool:
        if self.layer is None or not store.can_be_saved(self.layer):
            return False
        try:
            store.save(self.layer, edit)
        except PluginError as error:
            self._fail(str(error))
            return False
        return True

    def _fail(self, text: str) -> None:
        self.tell(text)
        self.iface.messageBar().pushWarning("geochange", text)

    def _show(self) -> None:
        counts, change = self.session.counts(), self.session.current
        self.panel.bar.setRange(0, max(counts.all, 1))
        self.panel.bar.setValue(counts.all - counts.unset)
        self.panel.counts.setText(
            f"{counts.accepted:,} accepted, {counts.rejected:,} rejected, {counts.unset:,} left"
        )
        self._clear_outline()
        if change is None or self.layer is None:
            self.panel.shown.setText("No change passes the filter." if self.layer else "")
            return
        sure = "" if change.confidence is None else f", {change.confidence:.0%} certain"
        large = "" if change.area_m2 is None else f", {change.area_m2:,.0f} m²"
        name = f"<br>{html.escape(change.name)}" if change.name else ""
        self.panel.shown.setText(
            f"<b>{self.session.at + 1:,} of {counts.all:,}</b>: "
            f"{WORDS.get(change.status, html.escape(change.status))}{sure}{large}{name}"
        )
        if self.isVisible():
            self._zoom(change.id)

    def _zoom(self, number: int) -> None:
        layer = self.layer
        if layer is None:
            return
        feature = layer.getFeature(number)
        if not feature.hasGeometry():
            return
        box = feature.geometry().boundingBox()
        least = SMALLEST_PX * self._pixel()
        box.grow(max(0.0, (least - max(box.width(), box.height())) / 2))
        box.scale(AROUND)
        there = QgsCoordinateTransform(
            layer.crs(), self.canvas.mapSettings().destinationCrs(), QgsProject.instance()
        )
        self.canvas.setExtent(there.transformBoundingBox(box))
        self.canvas.refresh()
        self.outline = QgsHighlight(self.canvas, feature, layer)
        self.outline.setColor(QColor(0, 220, 255))
        self.outline.setFillColor(QColor(0, 0, 0, 0))
        self.outline.setWidth(3)
        self.outline.show()

    def _pixel(self) -> float:
        """The side of a pixel of the raster after, in units of the changes; 0 if that is not known."""
        raster = self.panel.after.currentLayer()
        if raster is None or self.layer is None or raster.crs() != self.layer.crs():
            return 0.0
        return float(raster.rasterUnitsPerPixelX()) / AROUND

    def _clear_outline(self) -> None:
        if self.outline is not None:
            self.canvas.scene().removeItem(self.outline)
            self.outline = None

    def _update_swipe(self, *_: Any) -> None:
        self.swipe.set(self.panel.before.currentLayer(), self.panel.swipe.value() / 100)

    def _tab(self) -> None:
        tab_if_cut_off(self, self.iface.mainWindow(), self.panel.sizeHint().height())

    def _set_visible(self, visible: bool) -> None:
        for key in self.keys:
            key.setEnabled(visible)
        if visible:
            # Its height is known once it is laid out.
            QTimer.singleShot(0, self._tab)
        if not visible:
            self._clear_outline()
            self.panel.swipe.setValue(0)
        elif self.layer is None or self.layer is not self.panel.layer.currentLayer():
            self.open(self.panel.layer.currentLayer())
        else:
            self._show()
