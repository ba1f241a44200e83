"""onnxruntime tells nobody of its use, and leaves nothing in the user's folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")


@pytest.mark.slow
def test_onnxruntime_keeps_no_record_of_its_use(tmp_path: Path) -> None:
    # Where CI is set, onnxruntime is silent by itself.
    ours = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD")}
    ours = {name: value for name, value in ours.items() if not name.startswith(("XDG_", "GITHUB_"))}
    home = tmp_path / "home"
    home.mkdir()
    command = "from geochange.models.onnx.session import runtime; print(runtime().__name__)"
    told = subprocess.run(
        [sys.executable, "-c", command],
        env={**ours, "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stdout.strip()) == (0, "onnxruntime"), told.stderr
    assert list(home.rglob("*")) == []
