"""The plugin in a fresh profile of QGIS, and QGIS itself with it: `qgis_process`, or its window."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from doc_pages import ROOT

FORKING = Path(__file__).with_name("forking_python.py")

PROCESS = "qgis_process.bin"
"""Debian's `qgis_process` is a script that is broken."""

WINDOW = ("xvfb-run", "xdotool", "qgis")


def lacking(*programs: str) -> str:
    """Which of some programs are not there; "" if all are."""
    return ", ".join(name for name in programs if shutil.which(name) is None)


def install_zip(folder: Path) -> Path:
    """A new profile with the plugin, from the zip that build.py makes."""
    packed = folder / "geochange_plugin.zip"
    packed.write_bytes(runpy.run_path(str(ROOT / "qgis_plugin" / "build.py"))["pack"]())
    profile = folder / "config" / "profiles" / "default"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(profile / "python" / "plugins")
    (profile / "QGIS").mkdir(parents=True)
    (profile / "QGIS" / "QGIS3.ini").write_text("[PythonPlugins]\ngeochange_plugin=true\n")
    return folder / "config"


@contextmanager
def python_here(folder: Path) -> Iterator[Path]:
    """A Python that has the geochange of this project, whatever is installed.

    QGIS starts a command some twenty times, so all fork from one that has read everything.
    """
    # A socket's path is short, and that of a test's folder is not.
    with tempfile.TemporaryDirectory() as short:
        place = Path(short) / "forks"
        serving = [sys.executable, str(FORKING), "serve", str(place)]
        paths = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(serving, stdout=subprocess.PIPE, text=True, env=paths) as server:
            assert server.stdout is not None and server.stdout.readline() == "ready\n"
            script = folder / "python-here"
            asking = f'exec "{sys.executable}" -S -E "{FORKING}" "{place}" "$@"'
            script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" {asking}\n')
            script.chmod(0o755)
            try:
                yield script
            finally:
                server.kill()


def environment(folder: Path, config: Path, python: Path) -> dict[str, str]:
    """What QGIS is started with: its own Python, a fresh profile, and a Python with geochange."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    return {
        **own,
        "QGIS_CUSTOM_CONFIG_PATH": str(config),
        "XDG_RUNTIME_DIR": str(runtime),
        "HOME": str(folder),
        "GEOCHANGE_QGIS_COMMAND": str(python),
        "OMP_NUM_THREADS": "1",
    }


def qgis_process(variables: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run `qgis_process`."""
    return subprocess.run(
        [PROCESS, *words],
        env={**variables, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def qgis_window(variables: Mapping[str, str], script: Path) -> str:
    """Run a script in QGIS with its window, under Xvfb, to the end of QGIS; gives what it printed."""
    words = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", "qgis", "--nologo"]
    words += ["--noversioncheck", "--profiles-path", variables["QGIS_CUSTOM_CONFIG_PATH"]]
    done = subprocess.run(
        [*words, "--code", str(script)],
        env={name: value for name, value in variables.items() if name != "QT_QPA_PLATFORM"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.stdout + done.stderr
