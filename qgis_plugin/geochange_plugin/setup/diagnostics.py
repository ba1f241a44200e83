"""Diagnostics: a report of QGIS, the plugin and its command, in a window to copy from."""

from __future__ import annotations

import platform
import sys
from typing import Any

from qgis.core import Qgis, QgsApplication
from qgis.PyQt.QtCore import PYQT_VERSION_STR, QT_VERSION_STR
from qgis.PyQt.QtGui import QFontDatabase
from qgis.PyQt.QtWidgets import QApplication, QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout

from .. import runtime
from ..command.child import output_of
from ..command.errors import SetupError
from .report import report_of


def diagnose() -> str:
    """The report. It runs `geochange doctor`, which takes some seconds."""
    return report_of(
        {
            "QGIS": _qgis(),
            "geochange": _geochange(),
            "Last error": _last_error(),
        }
    )


def _qgis() -> str:
    rows = {
        "QGIS": Qgis.QGIS_VERSION,
        "Qt": f"{QT_VERSION_STR}, PyQt {PYQT_VERSION_STR}",
        "Python of QGIS": f"{platform.python_version()}, {sys.exec_prefix}",
        "system": platform.platform(),
        "prefix": QgsApplication.prefixPath(),
        "plugin": str(runtime.HERE),
        "profile": str(runtime.folder()),
    }
    return "\n".join(f"{name}: {value}" for name, value in rows.items())


def _geochange() -> str:
    try:
        words = runtime.command().words
        # It ends with an error where a check fails: then it is needed most.
        said = output_of([*words, "doctor"], runtime.variables(), even_failed=True)
    except SetupError as error:
        return str(error)
    return f"command: {' '.join(words)}\n{said}"


def _last_error() -> str:
    try:
        return runtime.error_file().read_text("utf-8")
    except OSError:
        return ""


def show_diagnostics(parent: Any) -> None:
    """Show the report in a window with a button that copies it."""
    QApplication.setOverrideCursor(_busy())
    try:
        text = diagnose()
    finally:
        QApplication.restoreOverrideCursor()
    window = QDialog(parent)
    window.setWindowTitle("geochange: diagnostics")
    window.resize(760, 560)
    shown = QPlainTextEdit(text)
    shown.setReadOnly(True)
    shown.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
    copy.clicked.connect(lambda: QApplication.clipboard().setText(text))
    buttons.rejected.connect(window.reject)
    layout = QVBoxLayout(window)
    layout.addWidget(shown)
    layout.addWidget(buttons)
    window.show()


def _busy() -> Any:
    from qgis.PyQt.QtCore import Qt
    from qgis.PyQt.QtGui import QCursor

    return QCursor(Qt.CursorShape.WaitCursor)
