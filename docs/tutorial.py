"""Runs docs/tutorial.ipynb and keeps its light outputs: `make tutorial`.

The site and GitHub show the notebook as it is kept, so its outputs are in it: tables, text and small
pictures. Maps are left out, because they ask other servers for their parts.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
PICTURES = 3
"""The number of pictures that an output keeps. The largest part of the file are pictures."""

SHOWN = ("text/html", "image/png", "text/plain")
"""The forms of an output, the best first. One is kept."""


def run(folder: Path, instead: Mapping[str, str] | None = None) -> Any:
    """The notebook with all its outputs, run in a copy of its place in the project.

    folder: an empty folder. instead: other texts in its cells, such as a shorter training. Raises
    CellExecutionError for a cell that fails, ValueError for a text that is in no cell or in several.
    """
    shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "docs").mkdir()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    for text, other in (instead or {}).items():
        (cell,) = [cell for cell in notebook.cells if text in cell.source]
        cell.source = cell.source.replace(text, other)
    where = {"metadata": {"path": str(folder / "docs")}}
    return NotebookClient(notebook, timeout=None, resources=where, record_timing=False).execute()


def lighten(notebook: Any) -> Any:
    """Keep one form of each output, without maps, messages and the names of temporary folders."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _joined([_light(output) for output in cell.outputs if _stays(output)])
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """Printed lines come in pieces, as the kernel is fast or slow. They become one output."""
    kept: list[Any] = []
    for output in outputs:
        if kept and output.output_type == kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _stays(output: Any) -> bool:
    """Whether an output says something, and needs no other server."""
    if output.output_type == "stream":
        return bool(output.name == "stdout")
    return "<iframe" not in output.get("data", {}).get("text/html", "")


def _light(output: Any) -> Any:
    if output.output_type == "stream":
        output.text = _without_folder(output.text)
        return output
    form = next(form for form in SHOWN if form in output.data)
    kept = _without_folder(output.data[form])
    if form == "text/html":
        text, *pictures = re.split(r"(?=<p><img )", kept.removesuffix("</div>"))
        kept = "".join([text, *pictures[:PICTURES], "</div>"])
    output.data = {form: kept}
    output.metadata = {}
    return output


def _without_folder(text: str) -> str:
    """Names of files without the temporary folder of the run."""
    return re.sub(re.escape(tempfile.gettempdir()) + r"[/\\]geochange-\w+[/\\]", "", text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        nbformat.write(lighten(run(Path(place))), NOTEBOOK)
