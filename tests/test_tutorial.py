"""The tutorial runs from top to bottom, and is kept with light outputs of its own cells."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SHORTER = {
    '"optim.steps": 24,': '"optim.steps": 4, "data.workers": 0,',
    '"augment.size": 128,': '"augment.size": 64,',
}
"""A training that changes the answer, as that of the page does, and no more."""

MAKER = runpy.run_path(str(ROOT / "docs" / "tutorial.py"))
KEPT = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text("utf-8"))


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def forms_of(cell: Any) -> list[list[str]]:
    return [sorted(output.get("data", {"stream": ""})) for output in cell["outputs"]]


def table_of(cell: Any) -> list[float]:
    """The numbers of the last output, a table."""
    html = "".join(cell["outputs"][-1]["data"]["text/html"])
    return [float(number) for number in re.findall(r"<td>([\d.]+)</td>", html)]


def test_the_tutorial_runs_and_teaches_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ran = MAKER["run"](tmp_path / "place", SHORTER)
    shown = "\n".join(str(output) for cell in code_of(ran) for output in cell["outputs"])
    assert "folium" in shown or "leaflet" in shown  # the map is drawn, and left out below
    ran = MAKER["lighten"](ran)
    assert [forms_of(cell) for cell in code_of(ran)] == [forms_of(cell) for cell in code_of(KEPT)]
    # How much a few steps teach differs between processors; that they change the answer does not.
    precision, precision_after, *_ = table_of(code_of(ran)[-1])
    assert 0 <= precision != precision_after <= 1


def test_the_tutorial_is_kept_light_and_asks_no_other_server() -> None:
    text = (ROOT / "docs" / "tutorial.ipynb").read_text("utf-8")
    assert len(text) < 400_000
    assert not re.search(r"(src|href)=..?https?:", text)
    assert [cell["execution_count"] for cell in code_of(KEPT)] == list(
        range(1, len(code_of(KEPT)) + 1)
    )
    assert not re.search(r"/(tmp|home|work|root)/", text)
