"""The wheel holds all that the library reads, the sdist all that makes it, and no extra is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff")
SETUP = ("pyproject.toml", "constraints.txt", "environment.yml", "mkdocs.yml", "Makefile")
"""What the pages tell a reader to use."""

IMPORT_ALL = """
import importlib, json, pkgutil, sys

# None in sys.modules is a package that is not there.
sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])))
import geochange

failed = {}
names = [found.name for found in pkgutil.walk_packages(geochange.__path__, "geochange.")]
for name in [name for name in names if not name.endswith("__main__")]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        failed[name] = error.name
print(json.dumps({"file": geochange.__file__, "count": len(names), "failed": failed}))
"""


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    (built,) = SdistBuilder(str(ROOT)).build(directory=str(folder))
    with tarfile.open(built) as archive:
        archive.extractall(folder, filter="data")
    return folder / Path(built).name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*pip, "--no-index", "--target", folder, wheel], check=True)
    return folder


def build_wheel(root: Path, folder: Path) -> Path:
    (built,) = WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    return Path(built)


def files_of(wheel: Path) -> dict[str, int]:
    """The names in a wheel, with a checksum of each file."""
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def sources_of(folder: Path) -> set[str]:
    """The files below a folder of the project, as they travel."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if not {"__pycache__", "build", ".ruff_cache"} & set(path.parts[len(ROOT.parts) :])
    }


def optional_modules() -> set[str]:
    """What the extras bring along and the library does not need, as it is imported."""
    required = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    extras = (line for lines in PROJECT["optional-dependencies"].values() for line in lines)
    optional = {canonicalize_name(Requirement(line).name) for line in extras} - required
    return {
        module
        for module, names in packages_distributions().items()
        if optional.intersection(map(canonicalize_name, names)) and module != "geochange"
    }


def run_bare(installed: Path, *words: str) -> str:
    """What Python prints with the installed wheel first on its path."""
    told = subprocess.run(
        [sys.executable, *words],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout


def test_the_wheel_holds_the_library_with_its_weights_words_and_types(wheel: Path) -> None:
    files = files_of(wheel).keys()
    assert {name for name in files if name.startswith("geochange/")} == sources_of(
        Path("geochange")
    )
    assert {Path(name).suffix for name in files} >= {".safetensors", ".onnx", ".j2", ".css", ".js"}
    assert {"geochange/py.typed", "geochange/models/vocabulary.txt"} <= files


def test_the_sdist_makes_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    again = files_of(build_wheel(sdist, tmp_path))
    assert again == files_of(wheel)


def test_the_sdist_holds_what_its_pages_tell_to_use(sdist: Path) -> None:
    missing = [name for name in (*PAGES, *SETUP) if not (sdist / name).is_file()]
    assert missing == []
    for folder in ("configs", "pipelines", "docs", "qgis_plugin", "benchmarks"):
        here = sources_of(Path(folder))
        assert {name for name in here if not (sdist / name).is_file()} == set(), folder


def test_every_module_imports_without_the_extras(installed: Path) -> None:
    blocked = optional_modules()
    assert {"onnxruntime", "pyarrow", "folium", "matplotlib", "obstore", "pytest"} <= blocked
    told = json.loads(run_bare(installed, "-c", IMPORT_ALL, json.dumps(sorted(blocked))))
    assert Path(told["file"]).parent == installed / "geochange"
    assert told["count"] > 200
    needs_onnx = {
        "geochange.models.onnx.export.engine_graphs",
        "geochange.models.onnx.export.write",
    }
    assert told["failed"] == dict.fromkeys(needs_onnx, "onnx")


def test_the_command_is_installed(installed: Path) -> None:
    assert "polygonize" in run_bare(installed, str(installed / "bin" / "geochange"), "--help")
