"""Qt 6: every name of Qt that the plugin uses is in PyQt6, and its own windows are made there.

PyQt6 is in no extra (260 MB); without it these tests are skipped. `pip install PyQt6` runs them.
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doc_pages import ROOT

PLUGIN = ROOT / "qgis_plugin" / "geochange_plugin"
QT = "qgis.PyQt."


def dotted(node: ast.expr) -> list[str]:
    """The names of a.b.c; [] for anything else."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return [*before, node.attr]
    return []


def imported(tree: ast.Module) -> dict[str, tuple[str, list[str]]]:
    """Names that come from Qt, by their module. What is imported for Qt 5 alone is left out."""
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    fallbacks = {id(node) for handler in handlers for node in ast.walk(handler)}
    return {
        alias.name: (str(node.module).removeprefix(QT), [alias.name])
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(QT)
        for alias in node.names
        if id(node) not in fallbacks
    }


def assigned(function: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What a function gives names to: each name with its value."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                yield from zip(target.elts, value.elts, strict=False)
            else:
                yield target, value


def names_of(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Each module of Qt with a name from it, and what is looked up in that name.

    A function's own name for a part of it, such as `key = Qt.Key`, is followed.
    """
    known = imported(tree)
    yield from known.values()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for scope in (tree, *functions):
        here = dict(known)
        for target, value in assigned(scope) if scope is not tree else ():
            path = dotted(value)
            if isinstance(target, ast.Name) and path and path[0] in known:
                module, first = known[path[0]]
                here[target.id] = module, [*first, *path[1:]]
        for node in ast.walk(scope):
            path = dotted(node) if isinstance(node, ast.Attribute) else []
            if path and path[0] in here:
                module, first = here[path[0]]
                yield module, [*first, *path[1:]]


def missing_in(qt: str, tree: ast.Module) -> set[str]:
    """The names that a binding of Qt does not have."""
    missing = set()
    for module, path in names_of(tree):
        here: Any = importlib.import_module(f"{qt}.{module}")
        for name in path:
            if not hasattr(here, name):
                missing.add(".".join([module, *path]))
                break
            here = getattr(here, name)
    return missing


def test_what_qt_6_lacks_is_found() -> None:
    pytest.importorskip("PyQt6.QtWidgets", exc_type=ImportError)
    tree = ast.parse(
        "from qgis.PyQt.QtCore import Qt\n"
        "from qgis.PyQt.QtWidgets import QAction\n"
        "def one():\n    key, other = Qt.Key, Qt.AlignLeft\n    key.Key_A, key.Key_NoSuch\n"
        "def two(key):\n    key.its_own\n"
    )
    lacks = {"QtCore.Qt.AlignLeft", "QtWidgets.QAction", "QtCore.Qt.Key.Key_NoSuch"}
    assert missing_in("PyQt6", tree) == lacks


def test_every_name_of_qt_is_in_qt_6() -> None:
    pytest.importorskip("PyQt6.QtWidgets", exc_type=ImportError)
    trees = [ast.parse(path.read_text("utf-8")) for path in PLUGIN.rglob("*.py")]
    assert sum(1 for tree in trees for _ in names_of(tree)) > 60
    assert set().union(*(missing_in("PyQt6", tree) for tree in trees)) == set()


def test_its_windows_are_made_in_qt_6() -> None:
    pytest.importorskip("PyQt6.QtWidgets", exc_type=ImportError)
    script = Path(__file__).with_name("in_qt6.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["panel", "keys", "install", "settings"]
