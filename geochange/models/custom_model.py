"""A class by package.module:Class. Its package may be in the current folder."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from geochange.errors import OptionError


class _FolderFinder(MetaPathFinder):
    """Finds one top-level package or module in one folder.

    Python finds its submodules by the package's own path. Other imports do not search the folder,
    because a folder of data may hold files with the names of libraries.
    """

    def __init__(self, name: str, folder: str) -> None:
        self.name, self.folder = name, folder

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The spec of that one name; None for other names."""
        return PathFinder.find_spec(fullname, [self.folder]) if fullname == self.name else None


@contextmanager
def _importable_from(name: str, folder: str | None) -> Iterator[None]:
    """Let one top-level name be imported from a folder, after installed packages."""
    if folder is None:
        yield
        return
    finder = _FolderFinder(name, folder)
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def locate_class(reference: str, option: str) -> Any:
    """The class of package.module:Class. Installed packages come before the current folder.

    option: the option of the user, for the message. Raises OptionError if it cannot be imported.
    """
    module, _, attribute = reference.partition(":")
    package, folder = module.partition(".")[0], _current_folder()
    try:
        with _importable_from(package, folder):
            return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise OptionError(
            f"{option}: cannot be imported ({error}); {_cure(error, package, folder)}"
        ) from error
    except (ImportError, AttributeError, SyntaxError, ValueError) as error:
        raise OptionError(
            f"{option}: cannot be imported ({error}); is its package installed here?"
        ) from error


def _current_folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # the current folder was deleted
        return None


def _cure(error: ModuleNotFoundError, package: str, folder: str | None) -> str:
    missing = (error.name or "").partition(".")[0]
    if folder is None or missing in ("", package):
        return "is its package installed here?"
    if Path(folder, f"{missing}.py").exists() or Path(folder, missing).is_dir():
        return (
            f"of the current folder only {package!r} is imported, so put {missing!r} and the model "
            "into one package and import it as package.module"
        )
    return f"install {missing}, which the model imports"
