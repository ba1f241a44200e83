"""The zip: by the rules of the official repository, the same each time, and nothing it should not do."""

from __future__ import annotations

import ast
import io
import re
import runpy
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from doc_pages import ROOT

from geochange import __version__
from geochange.qgis.style import polygon_qml

PLUGIN = ROOT / "qgis_plugin" / "geochange_plugin"
FILES = sorted(PLUGIN.rglob("*.py"))
BUILD: dict[str, Any] = runpy.run_path(str(ROOT / "qgis_plugin" / "build.py"))


def repacked(**changed: bytes | None) -> bytes:
    """The zip with some files replaced, or left out."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(BUILD["pack"]())) as whole,
        zipfile.ZipFile(made, "w") as archive,
    ):
        contents = {name: whole.read(name) for name in whole.namelist()}
        for name, content in {**contents, **changed}.items():
            if content is not None:
                archive.writestr(name, content)
    return made.getvalue()


def test_it_passes_the_rules_and_is_the_same_each_time() -> None:
    packed = BUILD["pack"]("https://example.org/geochange", "a@example.org")
    assert list(BUILD["faults_of"](packed)) == []
    assert packed == BUILD["pack"]("https://example.org/geochange", "a@example.org")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        metadata = archive.read("geochange_plugin/metadata.txt").decode()
        names = archive.namelist()
        pipeline = archive.read("geochange_plugin/pipelines/monitor.py")
    assert f"\nversion={__version__}\n" in metadata and "hasProcessingProvider=yes" in metadata
    assert not any(name.endswith(".pyc") for name in names)
    assert pipeline == (ROOT / "pipelines" / "monitor.py").read_bytes()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"geochange_plugin/LICENSE": None}, "LICENSE is missing"),
        ({"geochange_plugin/icon.svg": None}, "the icon is not in the zip"),
        ({"geochange_plugin/a/__pycache__/b.py": b""}, "hidden files and caches"),
        ({"geochange_plugin/a.so": b"\x7fELF"}, "only .*may be in it"),
        ({"geochange_plugin/a.py": b"\0"}, "binaries are refused"),
        ({"other/a.py": b""}, "must lie in the folder"),
        ({"geochange_plugin/__init__.py": b""}, "no classFactory"),
        ({"geochange_plugin/metadata.txt": b"[general]\nname=x\n"}, "description is missing"),
    ],
)
def test_what_the_repository_would_refuse_is_named(
    changed: dict[str, bytes | None], fault: str
) -> None:
    assert re.search(fault, "\n".join(BUILD["faults_of"](repacked(**changed))))


def tree_of(path: Path) -> ast.Module:
    # The oldest QGIS has Python 3.9.
    return ast.parse(path.read_text("utf-8"), str(path), feature_version=(3, 9))


def test_it_imports_nothing_but_qgis_and_the_standard_library() -> None:
    names: dict[str, set[str]] = {}
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                names.setdefault(path.name, set()).update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.setdefault(path.name, set()).add(str(node.module))
    first = {name.split(".")[0] for found in names.values() for name in found}
    # processing is the part of QGIS that opens the dialogs of algorithms.
    assert first - sys.stdlib_module_names == {"qgis", "processing"}


def test_what_is_tested_without_qgis_does_not_import_it() -> None:
    pure = [*(PLUGIN / "command").glob("*.py"), PLUGIN / "review" / "session.py"]
    pure += [PLUGIN / "setup" / name for name in ("install.py", "report.py")]
    assert len(pure) > 8
    assert [path.name for path in pure if re.search(r"(from|import) qgis", path.read_text())] == []


UNSCOPED = re.compile(r"^(Qt|QDialogButtonBox|QFontDatabase|Qgis|Qgs\w+)\.[A-Z]\w+$")


@pytest.mark.slow
def test_every_enum_is_written_as_qt_6_wants_it() -> None:
    """Qt.Key.Key_A, not Qt.Key_A; exec(), not exec_()."""
    found = set()
    for path in FILES:
        tree = tree_of(path)
        inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                text = ast.unparse(node)
                if node.attr == "exec_" or (
                    UNSCOPED.match(text) and not {id(node)} & (inner | called)
                ):
                    found.add(f"{path.name}: {text}")
    # Classes of enums that a name is given to, and a constant that is none of an enum.
    allowed = {"QGIS_VERSION", "Key", "ShortcutContext"}
    assert {text for text in found if text.rpartition(".")[2] not in allowed} == set()


def test_files_and_functions_stay_small() -> None:
    large = [path.name for path in FILES if len(path.read_text("utf-8").splitlines()) > 300]
    functions = [
        (path.name, node.name)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 40
    ]
    assert (large, functions) == ([], [])


def test_the_style_is_that_of_a_run() -> None:
    kept = (PLUGIN / "styles" / "changes.qml").read_text("utf-8")
    assert kept == polygon_qml(), "write geochange.qgis.style.polygon_qml() to it again"


def test_the_wheel_holds_nothing_of_it() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]
    assert hatch["wheel"]["packages"] == ["geochange"]
    assert "qgis_plugin" in hatch["sdist"]["include"]
