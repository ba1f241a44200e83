"""The Python with `qgis.core`: whether it exists, and how a script runs in it."""

from __future__ import annotations

import os
import subprocess
from functools import cache

import pytest

QGIS_PYTHON = os.environ.get("GEOCHANGE_QGIS_PYTHON", "/usr/bin/python3")


def run_qgis_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    # QGIS must not use the PROJ data and packages of the running environment.
    for name in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "PYTHONPATH", "PYTHONHOME"):
        environment.pop(name, None)
    return subprocess.run(
        [QGIS_PYTHON, *arguments], capture_output=True, text=True, env=environment, timeout=900
    )


@cache
def qgis_is_there() -> bool:
    try:
        return run_qgis_python("-c", "import qgis.core").returncode == 0
    except FileNotFoundError:
        return False


def need_qgis() -> None:
    """Skip the tests that need QGIS where there is none."""
    if not qgis_is_there():
        pytest.skip(f"no QGIS for {QGIS_PYTHON}")
