"""Settings > Options > geochange: which Python or command runs, and the button that installs it."""

from __future__ import annotations

from typing import Any

from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .. import runtime
from ..command.child import output_of
from ..command.errors import PluginError
from .diagnostics import show_diagnostics
from .install import CPU, CUDA, Plan, find_python, package_of
from .install_dialog import InstallDialog

FOLDER = QgsFileWidget.StorageMode.GetDirectory
CHOICES = {"CPU (smaller)": CPU, "NVIDIA GPU (CUDA)": CUDA}


class SettingsFactory(QgsOptionsWidgetFactory):  # type: ignore[misc]
    """Gives QGIS the page."""

    def __init__(self) -> None:
        super().__init__("geochange", QIcon(str(runtime.HERE / "icon.svg")))

    def createWidget(self, parent: Any) -> Any:
        return SettingsPage(parent)


class SettingsPage(QgsOptionsPageWidget):  # type: ignore[misc]
    """The page."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.command = QgsFileWidget()
        self.command.setFilePath(runtime.setting("command"))
        self.command.lineEdit().setPlaceholderText("found by itself")
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.python = QgsFileWidget()
        self.python.setFilePath(runtime.setting("python"))
        self.python.lineEdit().setPlaceholderText("found by itself (3.11 or later)")
        self.package = QgsFileWidget()
        self.package.setStorageMode(FOLDER)
        self.package.setFilePath(runtime.setting("package"))
        self.package.lineEdit().setPlaceholderText(
            "the folder of the project, or a wheel; left empty with a folder of wheels"
        )
        self.wheels = QgsFileWidget()
        self.wheels.setStorageMode(FOLDER)
        self.wheels.setFilePath(runtime.setting("wheels"))
        self.wheels.lineEdit().setPlaceholderText("only without a network")
        self.torch = QComboBox()
        for title, value in CHOICES.items():
            self.torch.addItem(title, value)
        self.torch.setCurrentIndex(max(0, self.torch.findData(runtime.setting("torch", CPU))))
        layout = QVBoxLayout(self)
        layout.addWidget(self._running())
        layout.addWidget(self._installing())
        layout.addStretch()
        self._tell()

    def apply(self) -> None:
        """Keep what was entered, and ask the command anew."""
        entered = {
            "command": self.command.filePath(),
            "python": self.python.filePath(),
            "package": self.package.filePath().strip(),
            "wheels": self.wheels.filePath(),
            "torch": self.torch.currentData(),
        }
        changed = entered["command"] != runtime.setting("command")
        for name, value in entered.items():
            runtime.set_setting(name, value)
        if changed:
            self._try()

    def _running(self) -> QGroupBox:
        box = QGroupBox("What runs")
        form = QFormLayout(box)
        self.command.setToolTip("The Python of an environment with geochange, or the command")
        form.addRow("Python or command", self.command)
        form.addRow(self.state)
        form.addRow(_row({"Try it": self.test, "Diagnostics...": self.diagnose}))
        return box

    def _installing(self) -> QGroupBox:
        box = QGroupBox("Install it")
        form = QFormLayout(box)
        self.package.setToolTip("The folder with pyproject.toml, a wheel, or what pip calls it")
        form.addRow("geochange from", self.package)
        form.addRow("PyTorch for", self.torch)
        form.addRow("Made with this Python", self.python)
        form.addRow("Folder of wheels", self.wheels)
        about = QLabel(
            f"Makes an environment in {runtime.folder()}, apart from the Python of QGIS. It fetches "
            "0.5 GB for the CPU, 3 GB for CUDA. If it is interrupted, press the button again."
        )
        about.setWordWrap(True)
        form.addRow(about)
        form.addRow(_row({"Install, or go on": self.install}))
        return box

    def test(self) -> None:
        """Keep the settings and run the command that they name."""
        self.apply()
        self._try()

    def diagnose(self) -> None:
        """Show the diagnostics of the settings as they are entered."""
        self.apply()
        show_diagnostics(self)

    def install(self) -> None:
        """Make the environment in a window of its own."""
        self.apply()
        try:
            wheels = runtime.setting("wheels")
            package = package_of(runtime.setting("package"), wheels)
            named = runtime.setting("python")
            python = find_python(named, lambda words: output_of(words, runtime.variables()))
            plan = Plan(
                python=python,
                folder=runtime.folder(),
                package=package,
                torch=runtime.setting("torch", CPU),
                constraints=runtime.bundled_file("constraints.txt"),
                wheels=wheels or None,
            )
            window = InstallDialog(plan, self)
        except (PluginError, OSError) as error:
            self.state.setText(str(error))
            return
        window.setModal(True)
        window.finished.connect(self._try)
        window.show()

    def _try(self, *_: Any) -> None:
        try:
            runtime.refresh_help(always=True)
        except PluginError as error:
            self.state.setText(str(error))
            return
        runtime.messenger.refreshed.emit()
        self._tell()

    def _tell(self) -> None:
        try:
            words, manual = runtime.command().words, runtime.cached_help()
        except PluginError as error:
            self.state.setText(str(error))
            return
        version = f"geochange {manual.version}" if manual else "not tried yet"
        self.state.setText(f"{version}: {' '.join(words)}")


def _row(buttons: Any) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for title, action in buttons.items():
        button = QPushButton(title)
        button.clicked.connect(action)
        layout.addWidget(button)
    layout.addStretch()
    return row
