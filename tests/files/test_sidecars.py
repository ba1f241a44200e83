"""Reports of an earlier run that the next one leaves are named, and other people's files are not."""

from __future__ import annotations

from pathlib import Path

from geochange.files.sidecars import sidecars_of, stale_sidecars


def test_what_is_left_of_an_earlier_run(tmp_path: Path) -> None:
    out = tmp_path / "changes.gpkg"
    page, item, other = (out.with_suffix(s) for s in (".html", ".stac.json", ".json"))
    for path in (page, item):
        path.write_text("by geochange")
    other.write_text("{}")  # somebody else's
    assert stale_sidecars(out, None) == [page, item]
    assert stale_sidecars(out, sidecars_of(out, "html")) == []
    other.write_text("by geochange")
    assert stale_sidecars(out, sidecars_of(out, "html")) == [other]
    assert stale_sidecars(out, sidecars_of(out, "json")) == [page]
