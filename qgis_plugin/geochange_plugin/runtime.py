"""What all parts of the plugin share in QGIS: settings, folders, the command and what it can do."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

from qgis.core import Qgis, QgsApplication, QgsMessageLog, QgsSettings
from qgis.PyQt.QtCore import QObject, pyqtSignal

from .command import options
from .command.child import output_of
from .command.environment import bundle_of, child_environment
from .command.errors import SetupError
from .command.locate import Command, find_command
from .command.options import CommandHelp

HERE = Path(__file__).resolve().parent

PIPELINES = ("finetune.py", "monitor.py")
"""Scripts over geochange that algorithms run; the archive holds copies of those of the project."""


class Messenger(QObject):  # type: ignore[misc]
    """Carries messages from threads to the window.

    failed: an error of a command. refreshed: the options of the command are known, or changed.
    written: a file was written anew.
    """

    failed = pyqtSignal(str)
    refreshed = pyqtSignal()
    written = pyqtSignal(str)


messenger = Messenger()

_help_cache: dict[tuple[str, ...], CommandHelp] = {}
_lock = threading.Lock()


def setting(name: str, default: str = "") -> str:
    """A setting of the plugin."""
    return str(QgsSettings().value(f"geochange/{name}", default) or default)


def set_setting(name: str, value: str) -> None:
    """Keep a setting of the plugin."""
    QgsSettings().setValue(f"geochange/{name}", value)


def folder() -> Path:
    """Where the plugin keeps its environment and its notes: in the profile."""
    return Path(QgsApplication.qgisSettingsDirPath()) / "geochange"


def command() -> Command:
    """How geochange is started. Raises SetupError."""
    return find_command(setting("command"), folder(), os.environ)


def variables() -> dict[str, str]:
    """The environment variables of a command."""
    bundle = bundle_of(os.environ, QgsApplication.prefixPath(), sys.platform)
    return child_environment(os.environ, bundle)


def pipeline(name: str) -> Path:
    """The file of a pipeline."""
    return bundled_file(f"pipelines/{name}")


def bundled_file(name: str) -> Path:
    """A file of the project: the copy in the plugin, or itself where the plugin is run from source."""
    inside = HERE / name
    return inside if inside.is_file() else HERE.parents[1] / name


def cached_help() -> CommandHelp | None:
    """What the command can do, as far as it was asked before; None else."""
    try:
        words = command().words
    except SetupError:
        return None
    with _lock:
        if words not in _help_cache and (kept := options.load(_cache_file(words))) is not None:
            _help_cache[words] = kept
        return _help_cache.get(words)


def refresh_help(always: bool = False) -> CommandHelp:
    """Ask the command what it can do, unless it was asked in this version.

    Raises SetupError and CommandError.
    """
    found, environment = command(), variables()
    known = cached_help()
    if known is not None and not always:
        said = output_of([*found.words, "--version"], environment)
        if said.split()[-1:] == [known.version]:
            return known
    texts = {"geochange": output_of([*found.words, "--help-json"], environment)}
    for name in PIPELINES if found.python else ():
        texts[name] = output_of([*found.script(pipeline(name)), "--help-json"], environment)
    asked = options.parse(texts)
    options.save(asked, _cache_file(found.words))
    with _lock:
        _help_cache[found.words] = asked
    return asked


def log(text: str, level: Any = Qgis.MessageLevel.Info) -> None:
    """A line in the panel of messages."""
    QgsMessageLog.logMessage(text, "geochange", level, level == Qgis.MessageLevel.Critical)


def note_error(text: str) -> None:
    """Keep the last error for the diagnostics, and show it in the window."""
    log(text, Qgis.MessageLevel.Critical)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        error_file().write_text(text + "\n", "utf-8")
    except OSError as error:
        log(f"{error_file()}: {error.strerror}", Qgis.MessageLevel.Warning)
    messenger.failed.emit(text)


def error_file() -> Path:
    """Where the last error is kept."""
    return folder() / "last-error.txt"


def _cache_file(words: tuple[str, ...]) -> Path:
    name = hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]
    return folder() / f"options-{name}.json"
