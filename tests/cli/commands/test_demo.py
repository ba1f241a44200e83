"""`geochange demo`."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import geochange.workflows.demo
from geochange.cli.commands.demo import demo


def test_its_lines_of_json_are_those_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin for QGIS reads them; a sentence or a table among them would be lost."""
    figures = {"polygons": 3, "changed_m2": 50.0, "seconds": 1.0, "resumed": False}
    files = {"out": Path("d/changes.gpkg"), "raster": Path("d/changes.tif"), "report": None}
    unreadable = SimpleNamespace(merged=lambda: SimpleNamespace(to_json=dict))
    result = SimpleNamespace(**figures, **files, megapixels_per_s=2.0, unreadable=unreadable)

    def run_demo(folder: Path, size: int, seed: int, progress: Any) -> Any:
        progress("infer", 1, 1)
        return SimpleNamespace(result=result, scores=(), true_share=1.0)

    monkeypatch.setattr(geochange.workflows.demo, "run_demo", run_demo)
    done = CliRunner().invoke(demo, ["--log-json"])
    assert done.exit_code == 0, done.output
    told = [json.loads(line) for line in done.output.splitlines()]
    assert [line["event"] for line in told] == ["progress", "result"]
    assert told[0]["share"] == 0.85 and told[1]["polygons"] == 3
