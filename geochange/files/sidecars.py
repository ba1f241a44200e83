"""What lies beside the polygons of a run: its report and its entry for a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geochange.errors import OutputError
from geochange.files.output_paths import check_target

MODES = ("html", "json", "none")

PROBE_BYTES = 2**16
"""So many bytes of a file are enough to tell whether it is ours."""

MARKS = (
    b'<meta name="generator" content="geochange',
    b'"geochange": "',
    b'"geochange:version"',
    b"Software\0geochange",
)
"""How pages, facts, STAC items and pictures say that geochange made them."""


@dataclass(frozen=True)
class Sidecars:
    """Where the report goes, and the STAC item."""

    report: Path
    item: Path

    @property
    def is_page(self) -> bool:
        """Whether the report is a page with pictures, and not facts alone."""
        return self.report.suffix == ".html"


def sidecars_of(out: Path, mode: str) -> Sidecars | None:
    """What a run that writes `out` writes beside it; None for mode "none".

    Raises OutputError where something stands there that geochange did not write, or where nothing
    can be written.
    """
    if mode == "none":
        return None
    places = Sidecars(out.with_suffix(f".{mode}"), out.with_suffix(".stac.json"))
    for path in (places.report, places.item):
        check_target(path)
        if path.exists() and not written_by_geochange(path):
            raise OutputError(
                f"{path}: stands where the report goes and is none of geochange's; move it, give "
                "another --out, or take --report none"
            )
    return places


def stale_sidecars(out: Path, places: Sidecars | None) -> list[Path]:
    """Reports and STAC items of an earlier run that this one does not replace."""
    kept = () if places is None else (places.report, places.item)
    every = (out.with_suffix(suffix) for suffix in (".html", ".json", ".stac.json"))
    return [
        path for path in every if path not in kept and path.is_file() and written_by_geochange(path)
    ]


def written_by_geochange(path: Path) -> bool:
    """Whether a page, picture or JSON file was written by geochange, and may be replaced."""
    try:
        with path.open("rb") as file:
            start = file.read(PROBE_BYTES)
    except OSError:  # a folder, or one that may not be read: not to be replaced
        return False
    return any(mark in start for mark in MARKS)


def refuse_others(path: Path, option: str) -> None:
    """Refuse to write a picture over one that geochange did not draw. Raises OutputError."""
    check_target(path)
    if path.exists() and path.stat().st_size and not written_by_geochange(path):
        raise OutputError(
            f"{path}: is there and none of geochange's; move it, or give another {option}"
        )
