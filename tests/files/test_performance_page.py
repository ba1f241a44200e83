"""The path of Dask's page: an HTML file that is nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from geochange.config import RunOptions
from geochange.errors import OptionError, OutputError
from geochange.files.performance_page import TITLE, performance_page_path


def test_pages_of_dask_are_replaced_and_other_files_are_not(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert performance_page_path(page, ()) == page
    page.write_bytes(b"<html>" + TITLE)
    assert performance_page_path(page, ()) == page
    page.write_bytes(b"<html>my thesis")
    with pytest.raises(OutputError, match="is no page of Dask; move it"):
        performance_page_path(page, ())
    assert page.read_bytes() == b"<html>my thesis"


@pytest.mark.parametrize("name", ["page.txt", "changes.html", "nowhere/page.html"])
def test_other_places_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError):
        performance_page_path(tmp_path / name, [tmp_path / "changes.html"])


def test_a_run_without_dask_has_no_page() -> None:
    with pytest.raises(OptionError, match="add --workers N or --scheduler ADDRESS") as told:
        RunOptions.parse({"performance_report": "page.html"})
    assert "\n" not in str(told.value)
    assert RunOptions.parse({"performance_report": "page.html", "workers": 1}).workers == 1
