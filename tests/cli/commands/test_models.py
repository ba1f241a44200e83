"""`geochange models`: the table holds every model, and JSON the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from geochange.cli.main import cli
from geochange.models.catalogue import KNOWN
from geochange.models.weights.locate import FOLDER_ENV


def test_every_model_has_its_row_and_its_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.pth").touch()
    monkeypatch.setenv(FOLDER_ENV, str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(cli, ["models"])
    assert told.exit_code == 0
    for name, model in KNOWN.items():
        (row,) = (line for line in told.output.splitlines() if line.startswith(f"│ {name} "))
        assert all(f"{share:.3f}" in row for share in model.figures.f1.values())
        assert model.about in told.output
    assert "0.3 to 1.5 m and 10 m" in told.output and "changeclip-small, the default" in told.output
    assert f"{FOLDER_ENV}: 1 files (geochange weights list)" in told.output


def test_json_is_what_the_catalogue_holds() -> None:
    told = CliRunner().invoke(cli, ["models", "--json"])
    listed = json.loads(told.output)
    assert [each["model"] for each in listed] == list(KNOWN)
    assert [each["default"] for each in listed] == [True, False, False]
    assert listed[0]["pixels_m"] == [[0.3, 1.5], [10, 10]]
    assert listed[1]["figures"]["f1"] == dict(KNOWN["cva"].figures.f1)
    assert listed[1]["bands"] == [] and listed[0]["licence"] == "Apache-2.0"
