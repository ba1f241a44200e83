"""A run that needs no torch imports none, in the command and in its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_runs import ROOT

DECOY = "raise RuntimeError('torch was imported')\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [["--model", "irmad", "--workers", "1"], ["--engine", "onnx", "--device", "cpu"]]
)
def test_torch_is_imported_neither_by_the_command_nor_by_its_workers(
    pair_paths: tuple[Path, Path], tmp_path: Path, how: list[str]
) -> None:
    decoys = tmp_path / "decoys"
    decoys.mkdir()
    (decoys / "torch.py").write_text(DECOY)
    out = tmp_path / "changes.gpkg"
    words = ["run", *map(str, pair_paths), "--out", str(out), *how]
    code = (
        "import sys\n"
        "from geochange.cli.main import _exit_code\n"
        f"assert _exit_code({[*words, '--quiet']!r}) == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(decoys), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert out.is_file()
