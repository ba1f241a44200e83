"""Reports of an earlier run that the next one leaves are named, and other people's files are not."""

from __future__ import annotations

from pathlib import Path

from geochange.files.sidecars import beside, left_over


def test_what_is_left_of_an_earlier_run(tmp_path: Path) -> None:
    out = tmp_path / "changes.gpkg"
    page, item, other = (out.with_suffix(s) for s in (".html", ".stac.json", ".json"))
    for path in (page, item):
        path.write_text("by geochange")
    other.write_text("{}")  # somebody else's
    assert left_over(out, None) == [page, item]
    assert left_over(out, beside(out, "html")) == []
    other.write_text("by geochange")
    assert left_over(out, beside(out, "html")) == [other]
    assert left_over(out, beside(out, "json")) == [page]
