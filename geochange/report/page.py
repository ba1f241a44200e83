"""The page: one HTML file that needs neither network nor script.

Jinja2, which torch and distributed require anyway, escapes every value unless told not to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from geochange import __version__, formatting
from geochange.report.canvas import Picture, ScaleBar
from geochange.report.extent_sketch import sketch_of
from geochange.report.facts import Facts

HERE = Path(__file__).parent


@dataclass(frozen=True)
class ConfidenceColour:
    """A step of the legend: its label, its lower bound (0 to 1), and its CSS colour."""

    label: str
    lower: float
    colour: str


@dataclass(frozen=True)
class PagePictures:
    """The pictures of a page: of the whole scene, and of each of the top changes.

    scale: of the scene; None where lengths are unknown. top: before, after and outline of each
    change of Facts.top. sparse: whether the scene is shown by samples only.
    """

    before: Picture
    after: Picture
    changes: Picture
    scale: ScaleBar | None
    top: Sequence[tuple[Picture, Picture, Picture]]
    sparse: bool = False


def render(facts: Facts, pictures: PagePictures | None, shades: Sequence[ConfidenceColour]) -> str:
    """The page as text; every value of the run is escaped.

    pictures: None where the rasters can no longer be read.
    """
    return _template(tuple(shades)).render(
        facts=facts,
        pictures=pictures,
        shades=shades,
        sketch=sketch_of(facts.place),
        # Our own file, without values from outside.
        css=Markup((HERE / "page.css").read_text("utf-8")),
        version=__version__,
        most=_bar_maxima(facts),
    )


@lru_cache(4)
def _template(shades: tuple[ConfidenceColour, ...]) -> Template:
    """The template of the page. To compile it takes as long as to write the files of a small run."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for word in (
        formatting.area,
        formatting.distance,
        formatting.share,
        formatting.duration,
        formatting.lonlat,
        formatting.day,
    ):
        environment.filters[word.__name__] = word
    environment.filters["shade"] = lambda value: _shade(value, shades).colour
    return environment.get_template("page.html.j2")


def _shade(value: float, shades: Sequence[ConfidenceColour]) -> ConfidenceColour:
    return max((shade for shade in shades if shade.lower <= value), key=lambda each: each.lower)


def _bar_maxima(facts: Facts) -> dict[str, float]:
    """The value of the longest bar of each chart."""
    return {
        "change": max((group.area_m2 for group in facts.by_change), default=0) or 1,
        "size": max((group.area_m2 for group in facts.by_size), default=0) or 1,
        "histogram": max(facts.histogram, default=0) or 1,
        "seconds": max((stage.seconds for stage in facts.stages), default=0) or 1,
    }
