"""Pages of the site that are kept elsewhere in the project, or as a notebook: a hook of mkdocs.

Links between pages and these files work in the folder as well as on the site.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "Dockerfile": "Dockerfile",
    "CONTRIBUTING.md": "contributing.md",
    "qgis_plugin/PUBLISHING.md": "publishing.md",
    "geochange/models/shipped/MODEL_CARD.md": "model-card.md",
    "geochange/models/shipped/failures.jpg": "failures.jpg",
}
"""Files of the project by their path, and what they are called on the site."""

NOTEBOOKS = {"docs/tutorial.ipynb": "tutorial.md"}
"""Notebooks by their path, and the pages that show them with the outputs they are kept with."""

_PANDAS_STYLE = re.compile(r'<style.*?</style>| border="1" class="dataframe"', re.DOTALL)

_LINK = re.compile(r"(\]\()(?!\w+:)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the files that are kept elsewhere."""
    for path, name in ELSEWHERE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    for path, name in NOTEBOOKS.items():
        files.append(File.generated(config, name, content=notebook_page(ROOT / path)))
    return files


def notebook_page(path: Path) -> str:
    """A notebook as a page: its text, its code, and the outputs it is kept with."""
    title, *cells = json.loads(path.read_text("utf-8"))["cells"]
    get_it = f'<p><a href="{path.name}" download>Download this notebook</a></p>'
    return "\n\n".join([_joined(title["source"]), get_it, *map(_cell, cells)])


def _cell(cell: dict[str, Any]) -> str:
    source = _joined(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    shown = [f"```python\n{source}\n```", *map(_output, cell["outputs"])]
    return "\n\n".join(filter(None, shown))


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/html" in data:
        # Without the looks that pandas gives a table: the site has its own.
        html = _PANDAS_STYLE.sub("", _joined(data["text/html"]))
        # Without empty lines, so that Markdown takes all of it for one piece of HTML.
        lines = [line for line in html.splitlines() if line.strip()]
        return "<div>\n" + "\n".join(lines) + "\n</div>"
    if "image/png" in data:
        picture = _joined(data["image/png"]).replace("\n", "")
        return f'<p><img src="data:image/png;base64,{picture}" alt=""></p>'
    text = _joined(data.get("text/plain", "")).rstrip()
    return f"```text\n{text}\n```" if text else ""


def _joined(text: str | list[str]) -> str:
    """Text as notebooks keep it: whole, or by lines."""
    return text if isinstance(text, str) else "".join(text)


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links between pages and files of the project to the names on the site."""
    places = {name: path for path, name in ELSEWHERE.items()}
    name = page.file.src_uri
    folder = posixpath.dirname(places.get(name, f"docs/{name}"))
    return _LINK.sub(lambda link: link[1] + _name_on_site(link[2], folder), markdown)


def _name_on_site(target: str, folder: str) -> str:
    """folder: of the page, in the project."""
    path = posixpath.normpath(posixpath.join(folder, target))
    return (ELSEWHERE | NOTEBOOKS).get(path, path.removeprefix("docs/"))
