"""Where the command is: named by the user, installed by the plugin, or on the path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError

VARIABLE = "GEOCHANGE_QGIS_COMMAND"
"""An environment variable that names the Python or the command, before all settings."""

WHERE = "Settings > Options > geochange"

MISSING = f"geochange is not installed for QGIS yet; {WHERE} has a button that installs it"

ENVIRONMENT = "environment"
"""The folder of the virtual environment, in the plugin's folder of the profile."""


@dataclass(frozen=True)
class Command:
    """How geochange is started.

    words: what its own words follow. python: of the same environment, for scripts; None if unknown.
    """

    words: tuple[str, ...]
    python: str | None

    def script(self, path: Path) -> tuple[str, ...]:
        """How a script starts that imports geochange. Raises SetupError."""
        if self.python is None:
            raise SetupError(
                f"{self.words[0]}: no Python lies beside it; name the Python of that environment "
                f"under {WHERE}"
            )
        return (self.python, str(path))


def find_command(setting: str, folder: Path, environ: Mapping[str, str]) -> Command:
    """The command to run. Raises SetupError.

    setting: what the user named, or nothing. folder: of the plugin, in the profile.
    """
    for named, place in ((environ.get(VARIABLE, ""), VARIABLE), (setting, WHERE)):
        if named.strip():
            return _named(named.strip(), place)
    own = python_of(folder / ENVIRONMENT)
    if own.is_file() and is_installed(folder):
        return _of_python(str(own))
    found = shutil.which("geochange", path=environ.get("PATH"))
    if found:
        return _of_script(found)
    raise SetupError(MISSING)


def python_of(environment: Path) -> Path:
    """The Python of a virtual environment, whether it is there or not."""
    if os.name == "nt":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def done_file(folder: Path) -> Path:
    """What the installation writes at its end."""
    return folder / "installed.json"


def is_installed(folder: Path) -> bool:
    """Whether the environment of the plugin was installed to its end."""
    return done_file(folder).is_file()


def _named(text: str, place: str) -> Command:
    path = Path(os.path.expanduser(text))
    if path.is_dir():
        path = python_of(path)
        if not path.is_file():
            raise SetupError(f"{text}: holds no Python; name another one under {place}")
    if not path.is_file():
        found = shutil.which(text)
        if found is None:
            raise SetupError(f"{text}: no such file; name another one under {place}")
        path = Path(found)
    return _of_python(str(path)) if path.name.startswith("python") else _of_script(str(path))


def _of_python(python: str) -> Command:
    return Command((python, "-m", "geochange"), python)


def _of_script(script: str) -> Command:
    """A `geochange` of pip lies beside its Python."""
    beside = (Path(script).parent / name for name in ("python.exe", "python3", "python"))
    return Command((script,), next((str(path) for path in beside if path.is_file()), None))
