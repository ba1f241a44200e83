"""`geochange doctor`: a whole installation passes, a broken one is named with its cure."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from geochange.cli.commands.doctor import doctor
from geochange.errors import RunError
from geochange.workflows.doctor import anonymous, examine


@pytest.mark.slow
def test_this_installation_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    found = examine()
    assert found.failed == ()
    assert found.packages["rasterio"] != "missing"
    assert {"torch", "GDAL", "PROJ", "weights", "device"} <= {check.name for check in found.checks}
    assert "hidden" not in json.dumps(found.to_json())


def test_what_is_broken_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geochange.workflows.doctor.LIBRARIES", ("no_such_library",))
    done = CliRunner().invoke(doctor, [])
    assert "FAILED: No module named 'no_such_library'; install geochange again" in done.output
    assert isinstance(done.exception, RunError)


def test_the_name_of_the_user_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", "/home/ann"))
    said = anonymous(f"{Path('/home/ann/x.tif')} and /data/ann/y and C:\\ann\\z and /anna")
    assert said == "~/x.tif and /data/USER/y and C:\\USER\\z and /anna"
