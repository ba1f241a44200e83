"""Pages of a report from a few values, without a run: for what parses them or opens them in a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

from PIL import Image, ImageDraw

from geochange.qgis.style import OTHER_COLOR, colors_by_frequency
from geochange.report.canvas import ScaleBar, as_data_uri, lines_as_data_uri
from geochange.report.facts import (
    Change,
    ChangeGroup,
    Facts,
    GroundPlace,
    ListedChange,
    Source,
    Stage,
)
from geochange.report.page import PageColours, PagePictures, Views, render
from geochange.report.run.reporter import SHADES

RING = ((11.0, 48.0), (11.1, 48.0), (11.1, 48.1), (11.0, 48.1))
PLACE = GroundPlace(
    crs="WGS 84 / UTM zone 32N (EPSG:32632)",
    centre=(11.05, 48.05),
    bounds=(11.0, 48.0, 11.1, 48.1),
    outline=RING,
    outline_before=RING,
    outline_after=RING,
    shape=(600, 800),
    size_m=(600.0, 800.0),
    pixel=(1.0, 1.0),
    unit="m",
    common_m2=480_000.0,
    seen_m2=480_000.0,
)


def listed_changes(count: int, names: Sequence[str | None] = (None,)) -> list[ListedChange]:
    """Changes on a lattice, the most confident first: number n of n m², named in turn."""
    return [
        ListedChange(
            id=n,
            area_m2=float(n),
            confidence=1 - n / (2 * count + 2),
            change=names[n % len(names)],
            centre=(11.05, 48.05),
            box=((n * 37 % 90) / 100, (n * 53 % 90) / 100, 0.05, 0.04),
        )
        for n in range(1, count + 1)
    ]


def facts_of(listed: Sequence[ListedChange], **other: Any) -> Facts:
    """The facts of a run with these changes."""
    names: dict[str, int] = {}
    for change in listed:
        if change.change:
            names[change.change] = names.get(change.change, 0) + 1
    top = tuple(
        Change(c.id, c.area_m2, 9.0, 0.9 - c.confidence / 3, 0.99, False, c.centre, c.confidence)
        for c in listed[:10]
    )
    values: dict[str, Any] = {
        "title": "changes.gpkg",
        "before": Source("/data/before.tif", "2015-06-01", "1,2,3"),
        "after": Source("/data/after.tif", "2021-07-02T11:00:00+00:00", "1,2,3"),
        "place": PLACE,
        "polygons": len(listed),
        "changed_m2": sum(change.area_m2 for change in listed),
        "threshold": 0.5,
        "by_change": tuple(ChangeGroup(name, count, 10.0 * count) for name, count in names.items()),
        "by_size": (ChangeGroup("1 m² to 10 m²", len(listed), 5.0),) if listed else (),
        "histogram": (*[0] * 12, len(listed), *[1] * 7),
        "top": top,
        "warnings": (),
        "model": "cva",
        "options": {"model": "cva", "tile": "256"},
        "unusual": ("model",),
        "versions": {"geochange": "0", "python": "3.11"},
        "stages": (Stage("infer", 2.0), Stage("write", 1.0)),
        "started": "2026-11-28T10:00:00+00:00",
        "finished": "2026-11-28T10:01:00+00:00",
        "files": {"changes": "changes.gpkg"},
    }
    return Facts(**{**values, **other})


def views(size: tuple[int, int], colour: str = "green") -> Views:
    """A red picture before, one in `colour` after, and a yellow outline in the middle."""
    lines = Image.new("RGBA", size, (0, 0, 0, 0))
    inner = [size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4]
    ImageDraw.Draw(lines).rectangle(inner, outline=(255, 255, 0, 255), width=max(2, size[0] // 40))
    before, after = (as_data_uri(Image.new("RGB", size, name)) for name in ("red", colour))
    return Views(before, after, lines_as_data_uri(lines), after)


def page_of(
    listed: Sequence[ListedChange], facts: Facts | None = None, pictures: bool = True
) -> str:
    """A page with these changes."""
    facts = facts_of(listed) if facts is None else facts
    shown = PagePictures(
        views((400, 300)), ScaleBar("200 m", 0.25), [views((60, 60))] * len(facts.top)
    )
    names = {group.name: group.polygons for group in facts.by_change}
    colours = PageColours(SHADES, colors_by_frequency(names), OTHER_COLOR)
    return render(facts, listed, shown if pictures else None, colours)


class PageReader(HTMLParser):
    """Collects tags with their attributes, and the text outside of style and script.

    `plain` are the texts of style and script, by tag.
    """

    VOID = ("meta", "img", "br", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.plain: dict[str, str] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.plain[self.open[-1]] = self.plain.get(self.open[-1], "") + data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All text that is shown, with single spaces."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[Mapping[str, str | None]]:
        """The attributes of every element of a tag."""
        return [attributes for name, attributes in self.tags if name == tag]
