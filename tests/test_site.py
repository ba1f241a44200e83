"""The site of docs/ builds without a warning, holds every page and name, and asks no other server."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from doc_pages import ROOT
from mkdocs.commands.build import build
from mkdocs.config import load_config

import geochange
from geochange.cli.main import COMMANDS

pytestmark = pytest.mark.slow

LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""Tags that a browser follows without a click, and where they say what."""


class Resources(HTMLParser):
    """What a page loads, and the identifiers in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors.add(found.get("id") or "")
        if tag in LOADS and found.get("rel") != "canonical":
            self.loaded.append(found.get(LOADS[tag]) or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; the build fails on a broken link, a missing page or an unknown name."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
        config.plugins.run_event("startup", command="build", dirty=False)
        build(config)
        config.plugins.run_event("shutdown")
    return folder


def test_every_page_is_in_the_navigation(site: Path) -> None:
    listed = set(re.findall(r"[\w-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= listed
    assert {path.stem for path in site.glob("*.html")} - {"404"} == {
        name.removesuffix(".md") for name in listed
    }


def test_pages_load_nothing_from_other_servers(site: Path) -> None:
    pages = {path.name: Resources(path.read_text()) for path in site.glob("*.html")}
    assert any(page.loaded for page in pages.values())
    for name, page in pages.items():
        others = [url for url in page.loaded if "//" in url and not url.startswith("data:")]
        assert others == [], name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text()), sheet.name


def test_every_command_and_public_name_has_its_place(site: Path) -> None:
    commands = Resources((site / "commands.html").read_text()).anchors
    assert set(COMMANDS) <= {anchor.removeprefix("geochange-") for anchor in commands}
    names = {
        anchor.rpartition(".")[2] for anchor in Resources((site / "api.html").read_text()).anchors
    }
    assert set(geochange.__all__) - {"__version__"} <= names


def test_the_site_has_no_address_of_its_own() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert "site_url" not in config and config["theme"]["font"] is False
