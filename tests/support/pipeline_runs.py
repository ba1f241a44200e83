"""Pipelines started as people start them: a script in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pipeline(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pipelines/NAME.py to its end, on this tree's geochange."""
    given = (environment.pop("PYTHONPATH", ""), str(ROOT), os.environ.get("PYTHONPATH"))
    paths = os.pathsep.join(filter(None, given))
    return subprocess.run(
        [sys.executable, str(ROOT / "pipelines" / f"{name}.py"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )
