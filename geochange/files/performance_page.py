"""The page of `--performance-report`: where it may be written. Dask makes it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from geochange.errors import OutputError
from geochange.files.file_names import PathLike
from geochange.files.output_paths import check_target, output_path

OPTION = "--performance-report"

TITLE = b"<title>Dask Performance Report</title>"
"""The text by which a page of Dask is recognised."""

PROBE_BYTES = 2**12


def performance_page_path(file: PathLike, outputs: Iterable[Path]) -> Path:
    """The path of the page. outputs: the other files of the run.

    Raises OutputError for a path that cannot be written, is another output, or holds something else.
    """
    path = output_path(file)
    if path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{OPTION} {path.name}: is a page; name it FILE.html")
    if path in outputs:
        raise OutputError(f"{OPTION} {path.name}: is the report of the run; give another name")
    check_target(path)
    if path.exists() and path.stat().st_size and TITLE not in _start_of(path):
        raise OutputError(
            f"{path}: exists and is no page of Dask; move it, or give another {OPTION}"
        )
    return path


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PROBE_BYTES)
