"""The window that installs geochange: a bar, a log, and a button that ends it. It can go on later."""

from __future__ import annotations

import time
from typing import Any

from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtGui import QFontDatabase
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
)

from .. import runtime
from ..command.child import GRACE_S, ChildProcess
from ..command.errors import PluginError
from ..command.locate import WHERE
from .install import Plan, begin, cure_of, finish, note_done, reason_of, remaining_steps, steps_of

LOOK_EVERY_MS = 100

KEPT_LINES = 30
"""Of a step, to see what failed."""


class InstallDialog(QDialog):  # type: ignore[misc]
    """Runs the steps of a plan, one after the other.

    finished_well: whether all of them ended well.
    """

    def __init__(self, plan: Plan, parent: Any = None) -> None:
        super().__init__(parent)
        self.plan, self.finished_well = plan, False
        self.child: ChildProcess | None = None
        self.asked_at: float | None = None
        self.steps = steps_of(plan)
        self.left = remaining_steps(plan, self.steps)
        self.said: list[str] = []
        self.setWindowTitle("Install geochange for QGIS")
        self.resize(720, 480)
        self.title, self.bar, self.log = QLabel(), QProgressBar(), QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (self.title, self.bar, self.log, self.buttons):
            layout.addWidget(widget)
        self.bar.setRange(0, len(self.steps))
        self.timer = QTimer(self)
        self.timer.timeout.connect(self._look)
        begin(plan)
        self._next()

    def reject(self) -> None:
        if self.child is None:
            super().reject()
            return
        self.title.setText("Ending; the same button goes on later")
        self.asked_at = time.monotonic()
        self.child.terminate()

    def _next(self) -> None:
        self.bar.setValue(len(self.steps) - len(self.left))
        if not self.left:
            finish(self.plan)
            self.finished_well = True
            self._end("geochange is installed; its algorithms are in the Processing toolbox")
            return
        step = self.left[0]
        self.title.setText(step.title)
        self.log.appendPlainText("$ " + " ".join(step.words))
        self.said = []
        try:
            self.child = ChildProcess(step.words, runtime.variables())
        except PluginError as error:
            self._end(str(error))
            return
        self.timer.start(LOOK_EVERY_MS)

    def _look(self) -> None:
        if self.child is None:
            return
        for _, line in self.child.lines():
            self.said = [*self.said, line.strip()][-KEPT_LINES:]
            self.log.appendPlainText(line.rstrip())
        if self.asked_at is not None and time.monotonic() - self.asked_at > GRACE_S:
            self.child.kill()
        if self.child.running:
            return
        self.timer.stop()
        code, self.child = self.child.code, None
        if self.asked_at is not None:
            super().reject()
        elif code:
            cure = cure_of(self.said, bool(self.plan.wheels))
            failed = f"{self.left[0].title} failed: {reason_of(self.said)}; {cure}"
            runtime.note_error(f"{failed}; then press the button under {WHERE} again")
            self._end(f"{failed}. Then press the button again: it goes on with this step.")
        else:
            note_done(self.plan, self.left.pop(0))
            self._next()

    def _end(self, text: str) -> None:
        self.title.setText(text)
        self.title.setWordWrap(True)
        self.buttons.setStandardButtons(QDialogButtonBox.StandardButton.Close)
