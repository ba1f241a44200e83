"""package.module:Class: only that package is imported from the current folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from decoy_modules import command_words, executed_decoys, start, write_decoys

from geochange.errors import OptionError
from geochange.models.custom_model import locate_class
from geochange.vector.files.writers import read_changes
from geochange.workflows.detect import detect

MODEL = """
from geochange.models.classical import ChangeVector

class Seer(ChangeVector):
    def change_logits(self, batch):
        from SEERS.deep import optional
        optional()
        return super().change_logits(batch)
"""
TRIES = """
try:
    import numexpr
except ImportError:
    numexpr = None
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder. Modules imported from it are removed afterwards."""
    monkeypatch.chdir(tmp_path)
    known, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]
    assert (sys.path, sys.meta_path) == (path, finders)


def decoy(folder: Path, name: str) -> None:
    (folder / f"{name}.py").write_text(f"open('{name}.ran', 'w').close()\n")


def test_a_module_there_is_found(folder: Path) -> None:
    (folder / "seer_flat.py").write_text("class Seer: pass\n")
    assert locate_class("seer_flat:Seer", "--model x").__name__ == "Seer"


@pytest.mark.parametrize("init", [True, False])
def test_a_package_there_finds_its_own_modules_and_no_library(folder: Path, init: bool) -> None:
    name = f"seers_{init}".lower()
    package = folder / name
    package.mkdir()
    if init:
        (package / "__init__.py").touch()
    (package / "model.py").write_text(
        f"{TRIES}\nfrom {name} import near\nclass Seer: near = near\n"
    )
    (package / "near.py").write_text(f"{TRIES}\ndef later():\n    from {name} import far\n")
    (package / "far.py").write_text(TRIES)
    decoy(folder, "numexpr")
    found = locate_class(f"{name}.model:Seer", "--model x")
    found.near.later()
    assert sys.modules[f"{name}.far"].numexpr is None
    assert executed_decoys(folder) == []
    with pytest.raises(ImportError):
        __import__("numexpr")


def test_what_is_installed_comes_first(folder: Path) -> None:
    decoy(folder, "colorsys")
    assert locate_class("colorsys:rgb_to_hsv", "--model x")(0, 0, 0) == (0.0, 0.0, 0)
    assert executed_decoys(folder) == []


def test_a_module_beside_it_is_not_taken_and_the_cure_holds(folder: Path) -> None:
    (folder / "seer_of_layers.py").write_text("from seer_layers import Layer as Seer\n")
    (folder / "seer_layers.py").write_text("class Layer: pass\n")
    with pytest.raises(OptionError) as refused:
        locate_class("seer_of_layers:Seer", "--model x")
    assert str(refused.value) == (
        "--model x: cannot be imported (No module named 'seer_layers'); of the current folder only "
        "'seer_of_layers' is imported, so put 'seer_layers' and the model into one package and "
        "import it as package.module"
    )
    package = folder / "seer_package"
    package.mkdir()
    (folder / "seer_layers.py").rename(package / "layers.py")
    (package / "model.py").write_text("from seer_package.layers import Layer as Seer\n")
    assert locate_class("seer_package.model:Seer", "--model x").__name__ == "Layer"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("seer_lacks:Seer", "import no_such_library\n", "install no_such_library, which the model"),
        ("seer_broken:Seer", "class Seer(\n", "cannot be imported ("),
        ("seer_empty:Seer", "", "has no attribute 'Seer'"),
        ("seer_nowhere:Seer", None, "No module named 'seer_nowhere'); is its package installed"),
        ("seer_above..x:Seer", None, "cannot be imported"),
    ],
)
def test_refusals_are_one_line(folder: Path, name: str, text: str | None, said: str) -> None:
    if text is not None:
        (folder / f"{name.partition(':')[0]}.py").write_text(text)
    with pytest.raises(OptionError) as refused:
        locate_class(name, "--model x")
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_folder_that_is_gone_holds_nothing(folder: Path) -> None:
    inside = folder / "gone"
    inside.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inside)
        inside.rmdir()
        with pytest.raises(OptionError, match="No module named 'seer_gone'"):
            locate_class("seer_gone:Seer", "--model x")


@pytest.mark.slow
def test_worker_processes_find_it_and_run_nothing_else(
    pair_paths: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = pair_paths[0].parent
    package = folder / "seers_of_workers"
    package.mkdir()
    (package / "model.py").write_text(MODEL.replace("SEERS", package.name))
    (package / "deep.py").write_text(f"{TRIES}\ndef optional():\n    assert numexpr is None\n")
    write_decoys(folder)
    words = command_words("script", tmp_path_factory.mktemp("scripts"))
    words += ["run", "before.tif", "after.tif", "--model", f"{package.name}.model:Seer"]
    words += ["--min-area", "0", "--quiet"]
    start([*words, "--out", "seen.gpkg", "--workers", "1"], folder, dict(os.environ))
    assert executed_decoys(folder) == []
    # The class that it derives from gives the same.
    plain = detect(*pair_paths, folder / "plain.gpkg", model="cva", min_area=0, report="none")
    assert (folder / "seen.tif").read_bytes() == plain.raster.read_bytes()
    assert len(plain.changes) > 0
    assert np.array_equal(plain.changes.area, read_changes(folder / "seen.gpkg").area)
