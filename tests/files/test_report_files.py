"""Reports of an earlier run that are not replaced are named; other files are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from geochange.errors import OutputError
from geochange.files.report_files import refuse_foreign_image, report_files_of, stale_report_files
from geochange.picture_drawing import PAPER, Image, save_png

OURS = '{\n  "geochange": "0.1.0"\n}'


def test_what_is_left_of_an_earlier_run(tmp_path: Path) -> None:
    out = tmp_path / "changes.gpkg"
    page, item, other = (out.with_suffix(s) for s in (".html", ".stac.json", ".json"))
    for path in (page, item):
        path.write_text(OURS)
    other.write_text("{}")  # not written by geochange
    assert stale_report_files(out, None) == [page, item]
    assert stale_report_files(out, report_files_of(out, "html")) == []
    other.write_text(OURS)
    assert stale_report_files(out, report_files_of(out, "html")) == [other]
    assert stale_report_files(out, report_files_of(out, "json")) == [page]


@pytest.mark.parametrize("suffix", [".html", ".stac.json"])
@pytest.mark.parametrize("text", ["", "<p>My notes on geochange</p>", '{"type": "Feature"}'])
def test_what_somebody_else_wrote_stays(tmp_path: Path, suffix: str, text: str) -> None:
    out = tmp_path / "changes.gpkg"
    path = out.with_suffix(suffix)
    path.write_text(text)
    with pytest.raises(OutputError, match=r"not written by geochange.*move it.*--report none"):
        report_files_of(out, "html")
    assert report_files_of(out, "none") is None
    path.unlink()
    path.symlink_to(tmp_path / "none" / path.name)
    with pytest.raises(OutputError, match=r"is a link to .*whose folder is missing; create it"):
        report_files_of(out, "html")
    (tmp_path / "none").mkdir()
    report_files_of(out, "html")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OutputError, match="is a device or a pipe"):
        report_files_of(out, "html")


def test_only_pictures_of_ones_own_are_drawn_over(tmp_path: Path) -> None:
    path, picture = tmp_path / "sheet.png", Image.new("RGB", (4, 4), PAPER)
    picture.save(path)
    with pytest.raises(
        OutputError, match="not written by geochange; move it, or give another --sheet"
    ):
        refuse_foreign_image(path, "--sheet")
    path.unlink()
    for _ in range(2):
        refuse_foreign_image(path, "--sheet")
        save_png(picture, path)
