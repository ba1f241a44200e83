"""Pages of the site that are kept elsewhere in the project, as a hook of mkdocs.

Links between pages and these files work in the folder as well as on the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "qgis_plugin/PUBLISHING.md": "publishing.md",
    "geochange/models/shipped/MODEL_CARD.md": "model-card.md",
    "geochange/models/shipped/failures.jpg": "failures.jpg",
}
"""Files of the project by their path, and what they are called on the site."""

_LINK = re.compile(r"(\]\()(?!\w+:)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the files that are kept elsewhere."""
    for path, name in ELSEWHERE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links between pages and files of the project to the names on the site."""
    places = {name: path for path, name in ELSEWHERE.items()}
    name = page.file.src_uri
    folder = posixpath.dirname(places.get(name, f"docs/{name}"))
    return _LINK.sub(lambda link: link[1] + _name_on_site(link[2], folder), markdown)


def _name_on_site(target: str, folder: str) -> str:
    """folder: of the page, in the project."""
    path = posixpath.normpath(posixpath.join(folder, target))
    return ELSEWHERE.get(path, path.removeprefix("docs/"))
