"""Report files: the report and the STAC item beside the polygons of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geochange.errors import OutputError
from geochange.files.output_paths import check_target

MODES = ("html", "json", "none")

PROBE_BYTES = 2**16
"""The number of bytes that are searched for GENERATOR_MARKS."""

GENERATOR_MARKS = (
    b'<meta name="generator" content="geochange',
    b'"geochange": "',
    b'"geochange:version"',
    b"Software\0geochange",
)
"""Texts by which pages, facts, STAC items and images of geochange are recognised."""


@dataclass(frozen=True)
class ReportFiles:
    """The paths of the report and of the STAC item."""

    report: Path
    item: Path

    @property
    def is_page(self) -> bool:
        """Whether the report is an HTML page with images, and not only facts as JSON."""
        return self.report.suffix == ".html"


def report_files_of(out: Path, mode: str) -> ReportFiles | None:
    """The sidecars of a run that writes `out`; None for mode "none".

    Refuses to overwrite files that geochange did not write. Raises OutputError, also if a path cannot
    be written.
    """
    if mode == "none":
        return None
    places = ReportFiles(out.with_suffix(f".{mode}"), out.with_suffix(".stac.json"))
    for path in (places.report, places.item):
        check_target(path)
        if path.exists() and not written_by_geochange(path):
            raise OutputError(
                f"{path}: exists and was not written by geochange, so the report cannot be written; "
                "move it, give another --out, or add --report none"
            )
    return places


def stale_report_files(out: Path, places: ReportFiles | None) -> list[Path]:
    """Reports and STAC items of an earlier run that this run does not replace."""
    kept = () if places is None else (places.report, places.item)
    every = (out.with_suffix(suffix) for suffix in (".html", ".json", ".stac.json"))
    return [
        path for path in every if path not in kept and path.is_file() and written_by_geochange(path)
    ]


def written_by_geochange(path: Path) -> bool:
    """Whether geochange wrote a page, image or JSON file, so that it may be overwritten."""
    try:
        with path.open("rb") as file:
            start = file.read(PROBE_BYTES)
    except OSError:  # a folder, or not readable: not to be overwritten
        return False
    return any(mark in start for mark in GENERATOR_MARKS)


def refuse_foreign_image(path: Path, option: str) -> None:
    """Refuse to overwrite an image that geochange did not write. Raises OutputError."""
    check_target(path)
    if path.exists() and path.stat().st_size and not written_by_geochange(path):
        raise OutputError(
            f"{path}: exists and was not written by geochange; move it, or give another {option}"
        )
