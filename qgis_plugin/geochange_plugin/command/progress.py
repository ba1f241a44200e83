"""What a command says while it runs: its progress, its result, its warnings and its error."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from .errors import CommandError

STAGES = {
    "infer": "Looking for change",
    "polygons": "Drawing polygons",
    "write": "Writing files",
    "cut": "Cutting chips",
    "prompts": "Naming what chips show",
    "check": "Checking chips",
    "learn": "Learning",
    "validate": "Validating",
    "evaluate": "Measuring",
}
"""Stages by the names that JSON lines give; another one is shown as it is."""

TRACEBACK = "Traceback (most recent call last)"

NO_GEOCHANGE = re.compile(r"No module named '?geochange(?!\w)")
BROKEN = re.compile(r"^(ModuleNotFoundError|ImportError|OSError: .*\.(so|dll|dylib))")
OTHER_VERSION = ("No such command", "No such option")
"""What a command says of words that it does not have."""

ERROR, WARNING = "geochange: ", "WARNING "
"""How lines on standard error begin."""

NOTE_EVERY = 0.02
"""A note such as a loss is shown once for so much of the whole."""

KEPT_LINES = 20
"""Of standard error, for an error that has no line of its own."""


class ProgressListener(Protocol):
    """Who is told of a command: QGIS's feedback, or a dialog."""

    def share(self, done: float) -> None:
        """So much is done, 0 to 1."""

    def stage(self, text: str) -> None:
        """What is being done."""

    def say(self, text: str) -> None:
        """A line for the log."""

    def warn(self, text: str) -> None:
        """A warning for the log."""


@dataclass
class OutputReader:
    """Reads the lines of a command and tells a listener.

    result: what the command says at its end. error: its one line of what went wrong.
    """

    listener: ProgressListener
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    last: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    noted_at: float = 0.0
    tracing: bool = False

    def on_line(self, stream: str, line: str) -> None:
        """Read a line of a stream, "out" or "err"."""
        text = line.rstrip()
        if not text:
            return
        if stream == "out":
            self._out(text)
        else:
            self._err(text)

    def ended(self, code: int) -> dict[str, Any]:
        """The result of a command that ended with a code. Raises CommandError."""
        if code == 0:
            return self.result
        if self.error.startswith(OTHER_VERSION):
            raise CommandError(
                f"another version of geochange than this plugin expects ({self.error}); press Try it "
                "under Settings > Options > geochange, or install the geochange of this plugin there"
            )
        raise CommandError(self.error or self._unexplained(code))

    def _out(self, text: str) -> None:
        told = _event(text)
        if told is None:
            self.listener.say(text)
        elif told["event"] == "progress":
            self._progress(told)
        else:
            self.result = told

    def _progress(self, told: dict[str, Any]) -> None:
        share = told.get("share")
        done = min(max(float(share), 0.0), 1.0) if isinstance(share, (int, float)) else 0.0
        if done:
            self.listener.share(done)
        stage = STAGES.get(str(told.get("stage")), str(told.get("stage")))
        note = str(told.get("note", ""))
        # Stages may run side by side; each is told once, so that a log stays short.
        if stage not in self.seen or (note and done >= self.noted_at + NOTE_EVERY):
            self.seen.add(stage)
            self.noted_at = done
            self.listener.stage(f"{stage} ({note})" if note else stage)

    def _err(self, text: str) -> None:
        if text.startswith(ERROR):
            self.error = text[len(ERROR) :]
        elif text.startswith(WARNING):
            self.listener.warn(text[len(WARNING) :])
        else:
            self.last = [*self.last, text][-KEPT_LINES:]
            # A broken Python ends with a traceback, of which the last line is told as the reason.
            self.tracing = self.tracing or text.startswith(TRACEBACK)
            if not self.tracing:
                self.listener.say(text)

    def _unexplained(self, code: int) -> str:
        """An error of a Python that cannot run geochange, or of a process that was killed."""
        if any(NO_GEOCHANGE.search(line) for line in self.last):
            return (
                "this Python has no geochange; Settings > Options > geochange installs it, "
                "or names another Python"
            )
        if any(BROKEN.search(line) for line in self.last):
            return (
                f"the environment of geochange is broken ({self.last[-1]}); Settings > Options > "
                "geochange installs it anew, or names another Python"
            )
        if code < 0:
            return f"geochange was ended by signal {-code}; run the same again to go on"
        reason = self.last[-1] if self.last else "no reason given"
        return f"geochange ended with code {code} ({reason}); see Diagnostics of the plugin"


def _event(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return told if isinstance(told, dict) and "event" in told else None
