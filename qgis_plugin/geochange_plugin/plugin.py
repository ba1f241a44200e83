"""The plugin: it registers the provider, the panel, the page of settings and the menu."""

from __future__ import annotations

import threading
from textwrap import shorten
from typing import Any, Callable

from qgis.core import Qgis, QgsApplication, QgsProject
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QPushButton

from . import runtime
from .algorithms.form import given_pair, open_algorithm
from .command.errors import PluginError
from .compat import QAction
from .provider import Provider

MENU = "&geochange"
LONGEST_MESSAGE = 400
"""Characters in the bar above the map."""

RIGHT = Qt.DockWidgetArea.RightDockWidgetArea


class Plugin:
    """What QGIS loads. Without a window (`qgis_process`) it is the provider alone."""

    def __init__(self, iface: Any) -> None:
        self.iface = iface
        self.provider: Any | None = None
        self.dock: Any | None = None
        self.factory: Any | None = None
        self.actions: list[Any] = []

    def initProcessing(self) -> None:
        """Register the provider; `qgis_process` calls nothing else."""
        if self.iface is None:
            self._ask_now()
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Add everything that has a window."""
        from .review.dock import ReviewDock
        from .setup.settings_page import SettingsFactory

        runtime.messenger.failed.connect(self._show_error)
        runtime.messenger.refreshed.connect(self._refresh)
        runtime.messenger.written.connect(self._reload)
        self.initProcessing()
        self.factory = SettingsFactory()
        self.iface.registerOptionsWidgetFactory(self.factory)
        self.dock = ReviewDock(self.iface)
        # Beside the docks of Processing, of which one opens at the end of each run.
        self.iface.addTabifiedDockWidget(
            RIGHT, self.dock, ["ResultsViewer", "ProcessingToolbox"], True
        )
        self.dock.hide()
        self._add_actions()
        # Asked meanwhile: the first answer of a new installation takes some seconds.
        threading.Thread(target=self._ask, daemon=True).start()
        self._welcome()

    def unload(self) -> None:
        """Take everything away again."""
        for action in self.actions:
            self.iface.removePluginRasterMenu(MENU, action)
            self.iface.removeToolBarIcon(action)
        if self.dock is not None:
            self.dock.close_review()
            self.iface.removeDockWidget(self.dock)
            self.dock.deleteLater()
        if self.factory is not None:
            self.iface.unregisterOptionsWidgetFactory(self.factory)
        if self.iface is not None:
            runtime.messenger.failed.disconnect(self._show_error)
            runtime.messenger.refreshed.disconnect(self._refresh)
            runtime.messenger.written.disconnect(self._reload)
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)

    def _add_actions(self) -> None:
        window = self.iface.mainWindow()
        review = self.dock.toggleViewAction() if self.dock is not None else QAction(window)
        review.setText("Review changes")
        review.setIcon(QIcon(str(runtime.HERE / "icon.svg")))
        self.actions = [
            self._action("Check a pair...", lambda: self._open("check")),
            self._action("Detect change...", lambda: self._open("detect")),
            review,
            self._action("Learn from reviewed polygons...", lambda: self._open("learn")),
            self._action("Make a demo pair...", lambda: self._open("demo")),
            self._action("Settings and installation...", self._open_settings),
            self._action("Diagnostics...", self._diagnose),
        ]
        for action in self.actions:
            self.iface.addPluginToRasterMenu(MENU, action)
        self.iface.addToolBarIcon(review)

    def _action(self, title: str, do: Callable[[], None]) -> Any:
        action = QAction(title, self.iface.mainWindow())
        action.triggered.connect(lambda *_: do())
        return action

    def _welcome(self) -> None:
        """Say once in a profile that the plugin alone does nothing yet, with the button that helps."""
        try:
            runtime.command()
        except PluginError as error:
            if runtime.setting("welcomed"):
                return
            runtime.set_setting("welcomed", "1")
            bar = self.iface.messageBar()
            item = bar.createMessage("geochange", str(error))
            button = QPushButton("Install it...", item)
            button.clicked.connect(lambda *_: self._open_settings())
            item.layout().addWidget(button)
            bar.pushWidget(item, Qgis.MessageLevel.Info)

    def _open(self, name: str) -> None:
        try:
            runtime.command()
        except PluginError as error:
            # The form would fill in well, and fail at its end.
            self.iface.messageBar().pushWarning("geochange", str(error))
            self._open_settings()
            return
        open_algorithm(name, {} if name == "demo" else given_pair())

    def _open_settings(self) -> None:
        self.iface.showOptionsDialog(self.iface.mainWindow(), "geochange")

    def _diagnose(self) -> None:
        from .setup.diagnostics import show_diagnostics

        show_diagnostics(self.iface.mainWindow())

    def _ask(self) -> None:
        """In a thread: learn what the command can do, if that is new."""
        known = runtime.cached_help()
        try:
            found = runtime.refresh_help()
        except PluginError as error:
            runtime.log(str(error), Qgis.MessageLevel.Warning)
            return
        if found is not known:
            runtime.messenger.refreshed.emit()

    def _ask_now(self) -> None:
        try:
            runtime.refresh_help()
        except PluginError as error:
            runtime.log(str(error), Qgis.MessageLevel.Warning)

    def _reload(self, path: str) -> None:
        """Layers of a file that was written anew still show, and would change, the old one."""
        for layer in QgsProject.instance().mapLayers().values():
            if str(layer.source()).split("|")[0] == path:
                layer.dataProvider().reloadData()
                layer.triggerRepaint()
                if self.dock is not None and self.dock.layer is layer:
                    self.dock.open(layer)

    def _refresh(self) -> None:
        if self.provider is not None:
            self.provider.refreshAlgorithms()

    def _show_error(self, text: str) -> None:
        # The whole text is in the log of the form and in the panel of messages.
        short = shorten(text, LONGEST_MESSAGE, placeholder=" ...")
        self.iface.messageBar().pushMessage("geochange", short, Qgis.MessageLevel.Critical)
