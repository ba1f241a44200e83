"""Files in a folder of data that have the names of libraries, and record when they are run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipeline_runs import ROOT

LIBRARIES = (
    "numexpr",
    "bottleneck",
    "numba",
    "cupy",
    "matplotlib",
    "click",
    "rasterio",
    "geochange_x",
)
"""Names of installed libraries, and of optional ones that libraries try to import."""

STANDARD = (
    "typing",
    "__future__",
    "logging",
    "random",
    "socket",
    "struct",
    "tempfile",
    "selectors",
)
"""Modules of Python that starting a child process imports. (`python -m` itself imports others
before any code of geochange runs.)"""

SITE = ("sitecustomize", "usercustomize")


def write_decoys(folder: Path) -> None:
    """Put decoys into a folder."""
    for name in (*LIBRARIES, *STANDARD, *SITE):
        (folder / f"{name}.py").write_text(
            f"open({str(folder / name)!r} + '.ran', 'w').close()\n"
            f"raise ImportError('the decoy {name} was run')\n"
        )


def executed_decoys(folder: Path) -> list[str]:
    """The decoys of a folder that have been run."""
    return sorted(path.stem for path in folder.glob("*.ran"))


def command_words(how: str, folder: Path) -> list[str]:
    """The command that starts `geochange`: its script, as installers write it, or `python -m`."""
    if how == "module":
        return [sys.executable, "-m", "geochange"]
    script = folder / "geochange"
    script.write_text(
        "from geochange.cli.main import main\n\nif __name__ == '__main__':\n    main()\n"
    )
    return [sys.executable, str(script)]


def start(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a program in a folder. It must succeed. Returns its output."""
    done = subprocess.run(
        words,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
