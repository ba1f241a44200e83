"""What all algorithms share: their form from the options of a command, and running it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from qgis.core import QgsProcessingAlgorithm, QgsProcessingContext, QgsProcessingException
from qgis.PyQt.QtGui import QIcon

from .. import runtime
from ..command.child import run
from ..command.errors import CanceledError, PluginError, SetupError
from ..command.options import Option, form_options
from ..command.progress import OutputReader
from .parameters import parameter_of

SILENT = ("out", "quiet", "log_json", "dry_run", "json_file", "file")
"""Options that the plugin gives by itself."""

CHANGES_STYLE = runtime.HERE / "styles" / "changes.qml"


class Feedback:
    """Tells QGIS's feedback what a command says."""

    def __init__(self, feedback: Any) -> None:
        self.feedback = feedback

    def share(self, done: float) -> None:
        """So much is done, 0 to 1."""
        self.feedback.setProgress(100 * done)

    def stage(self, text: str) -> None:
        """What is being done."""
        self.feedback.setProgressText(text)

    def say(self, text: str) -> None:
        """A line for the log."""
        self.feedback.pushInfo(text)

    def warn(self, text: str) -> None:
        """A warning for the log."""
        self.feedback.pushWarning(text)


class CommandAlgorithm(QgsProcessingAlgorithm):  # type: ignore[misc]
    """An algorithm that runs a command of geochange.

    ABOUT: the paragraphs of its help; that of the command speaks of words that a form has not.
    COMMAND: whose options the form shows. BY_HAND: the options that have parameters of their own
    kind, such as layers. BASIC: those that are not folded away.
    """

    NAME: ClassVar[str] = ""
    TITLE: ClassVar[str] = ""
    ABOUT: ClassVar[tuple[str, ...]] = ()
    COMMAND: ClassVar[tuple[str, ...]] = ()
    BY_HAND: ClassVar[tuple[str, ...]] = ()
    BASIC: ClassVar[tuple[str, ...]] = ()

    def name(self) -> str:
        return self.NAME

    def displayName(self) -> str:
        return self.TITLE

    def createInstance(self) -> CommandAlgorithm:
        return type(self)()

    def icon(self) -> Any:
        return QIcon(str(runtime.HERE / "icon.svg"))

    def tags(self) -> list[str]:
        return ["change", "detection", "difference", "raster", "deep learning"]

    def shortHelpString(self) -> str:
        picture = (runtime.HERE / "help" / f"{self.NAME}.svg").as_uri()
        text = "".join(f"<p>{html.escape(part)}</p>" for part in self.ABOUT)
        return f'<p><img src="{picture}" width="220"></p>{text}'

    def canExecute(self) -> tuple[bool, str]:
        try:
            runtime.command()
        except SetupError as error:
            return False, str(error)
        return True, ""

    def options(self) -> list[Option]:
        """The options that the form shows by themselves."""
        manual = runtime.cached_help()
        if manual is None:
            return []
        return form_options(manual.options(*self.COMMAND), (*SILENT, *self.BY_HAND))

    def add_options(self) -> None:
        """Add the parameters of `options`, those of BASIC first, in its order."""
        place = {name: at for at, name in enumerate(self.BASIC)}
        listed = sorted(self.options(), key=lambda option: place.get(option.name, len(place)))
        for option in listed:
            self.addParameter(parameter_of(option, option.name not in self.BASIC))

    def processAlgorithm(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        self.names: dict[str, str] = {}
        """What errors call the files that the plugin made from layers."""
        try:
            return self.work(parameters, context, feedback)
        except CanceledError as error:
            feedback.pushInfo(str(error))
            return {}
        except PluginError as error:
            text = str(error)
            for path, name in self.names.items():
                text = text.replace(path, name)
            runtime.note_error(text)
            raise QgsProcessingException(text) from error

    def work(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:
        """Run the command; gives the outputs. Raises PluginError."""
        raise NotImplementedError

    def execute(self, words: Sequence[str], feedback: Any) -> dict[str, Any]:
        """Run a command and tell of it; gives what it says at its end. Raises PluginError."""
        feedback.pushCommandInfo(" ".join(words))
        feedback.setProgressText("Starting geochange")
        follower = OutputReader(Feedback(feedback))
        code = run(words, runtime.variables(), follower.on_line, feedback.isCanceled)
        return follower.ended(code)


def output_file(
    path: str, suffixes: Sequence[str] = (".gpkg", ".geojson", ".fgb", ".parquet")
) -> str:
    """The path of a vector output. Raises PluginError for a database or an unknown format."""
    if Path(path).suffix.lower() not in suffixes or path.startswith(("ogr:", "postgis:")):
        raise PluginError(f"{path}: choose a file that ends in {', '.join(suffixes)}")
    return path


def load(path: str, name: str, context: Any, output: str) -> None:
    """Have QGIS load a file once the algorithm has ended, where it has a project."""
    if context.project() is None:
        return
    details = QgsProcessingContext.LayerDetails(name, context.project(), output)
    context.addLayerToLoadOnCompletion(path, details)


def optional_text(value: Any) -> str | None:
    """A path or text of a result; None stays None."""
    return None if value is None else str(value)
