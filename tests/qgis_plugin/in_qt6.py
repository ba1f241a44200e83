"""Makes the plugin's own windows in Qt 6, with stand-ins for the widgets of QGIS; says which it made.

What QGIS itself does in Qt 6 is not seen by it. test_qt6.py runs it.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "qgis_plugin"))

from PyQt6 import QtCore, QtGui, QtTest, QtWidgets


class Anything:
    """Stands for what QGIS gives: it can be called, looked into, and derived from."""

    def __init__(self, *given: Any, **named: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return Anything()

    def __call__(self, *given: Any, **named: Any) -> Any:
        return Anything()


class _Class(type):
    def __getattr__(cls, name: str) -> Any:
        return _Class(name, (), {"__init__": Anything.__init__})


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        return _Class(name, (Anything,), {})


class Combo(QtWidgets.QComboBox):
    """Stands for QgsMapLayerComboBox."""

    layerChanged = QtCore.pyqtSignal(object)  # noqa: N815 - as QGIS calls it

    def setFilters(self, kinds: Any) -> None:  # noqa: N802
        pass

    setAllowEmptyLayer = setFilters  # noqa: N815


class FileWidget(QtWidgets.QWidget):
    """Stands for QgsFileWidget."""

    StorageMode = _Class("StorageMode", (), {})

    def __init__(self) -> None:
        super().__init__()
        self.edit = QtWidgets.QLineEdit(self)

    def lineEdit(self) -> Any:  # noqa: N802
        return self.edit

    def filePath(self) -> str:  # noqa: N802
        return self.edit.text()

    def setFilePath(self, path: str) -> None:  # noqa: N802
        self.edit.setText(path)

    def setStorageMode(self, mode: Any) -> None:  # noqa: N802
        pass


def stand_in() -> None:
    """Put the stand-ins where the plugin imports QGIS from."""
    for name in ("qgis", "qgis.core", "qgis.gui", "qgis.utils", "processing"):
        sys.modules[name] = _Module(name)
    gui: Any = sys.modules["qgis.gui"]
    gui.QgsMapLayerComboBox, gui.QgsFileWidget = Combo, FileWidget
    gui.QgsOptionsPageWidget = QtWidgets.QWidget
    sys.modules["qgis.PyQt"] = types.ModuleType("qgis.PyQt")
    for module in (QtCore, QtGui, QtWidgets, QtTest):
        sys.modules[f"qgis.PyQt.{module.__name__.split('.')[1]}"] = module


def part(name: str) -> Any:
    """A module of the plugin."""
    return importlib.import_module(f"geochange_plugin.{name}")


def main() -> None:
    """Make each window, use its buttons, and say its name."""
    stand_in()
    app = QtWidgets.QApplication([])
    panel = part("review.panel").Panel()
    panel.fill_names(["farmland -> building"])
    panel.set_reviewable(True)
    panel.grab()
    print("panel")
    pressed: list[str] = []
    key = QtCore.Qt.Key
    panel.show()
    made = part("review.keys").keys_of(panel, {key.Key_A: lambda: pressed.append("a")}, True)
    panel.activateWindow()
    QtTest.QTest.qWaitForWindowActive(panel)
    panel.order.setFocus()
    QtTest.QTest.keyClick(panel.order, key.Key_A)
    assert pressed == ["a"] and len(made) == 1
    print("keys")
    with tempfile.TemporaryDirectory() as folder:
        use_install(Path(folder))
    print("install")
    runtime = part("runtime")
    runtime.setting = lambda name, default="": default
    runtime.folder = lambda: Path("nowhere")
    part("setup.settings_page").SettingsPage().grab()
    print("settings")
    app.quit()


def use_install(folder: Path) -> None:
    """An installation whose Python ends with an error tells it, and can be closed."""
    install, window = part("setup.install"), part("setup.install_dialog")
    told: list[str] = []
    window.runtime.variables = lambda: dict(os.environ)
    window.runtime.note_error = told.append
    false = "false" if os.name != "nt" else "where"
    plan = install.Plan(
        false, folder / "made", "geochange", install.CPU, folder / "constraints.txt"
    )
    dialog = window.InstallDialog(plan)
    dialog.show()
    for _ in range(100):
        QtTest.QTest.qWait(50)
        if told:
            break
    assert "failed" in dialog.title.text(), dialog.title.text()
    dialog.reject()
    assert not dialog.isVisible()


if __name__ == "__main__":
    main()
