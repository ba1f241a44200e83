"""The page: one HTML file that needs no network, and no script to be read.

Jinja2, which torch and distributed require anyway, escapes every value unless told not to. The page's
own policy lets a browser run the one script and use the one style that it holds, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from geochange import __version__, formatting
from geochange.report.canvas import Picture, ScaleBar
from geochange.report.extent_sketch import sketch_of
from geochange.report.facts import Facts, ListedChange

HERE = Path(__file__).parent

LONGEST_NAME = 80
"""The most characters of a name of change. A network of somebody else's may give any."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ConfidenceColour:
    """A step of the legend: its label, its lower bound (0 to 1), and its colour."""

    label: str
    lower: float
    colour: Colour


@dataclass(frozen=True)
class PageColours:
    """The colours of a page.

    kinds: of changes by their names; all other names have `other`. before: the colours of their
    classes before, where `kinds` are those after.
    """

    shades: Sequence[ConfidenceColour]
    kinds: Mapping[str, Colour] = field(default_factory=dict)
    other: Colour = (150, 150, 150)
    before: Mapping[str, Colour] = field(default_factory=dict)

    def shade_class(self, confidence: float) -> str:
        """The CSS class of a confidence."""
        lower = [shade.lower for shade in self.shades if shade.lower <= confidence]
        return f"shade-{max(len(lower) - 1, 0)}"

    def kind_class(self, name: str | None) -> str:
        """The CSS class of a name of change."""
        number = next((i for i, kind in enumerate(self.kinds) if kind == name), "other")
        return f"kind-{number}"

    def rules(self) -> str:
        """The style of all classes: background of elements, fill of shapes."""
        colours = {f"shade-{i}": shade.colour for i, shade in enumerate(self.shades)}
        colours |= {f"kind-{i}": colour for i, colour in enumerate(self.kinds.values())}
        colours["kind-other"] = self.other
        plain = "".join(
            f".{name} {{ background: rgb{colour}; fill: rgb{colour}; }}\n"
            for name, colour in colours.items()
        )
        return plain + "".join(
            f".kind-{i} {{ background: linear-gradient(90deg, rgb{self.before[name]} 50%, "
            f"rgb{colour} 50%); }}\n"
            for i, (name, colour) in enumerate(self.kinds.items())
            if self.before.get(name, colour) != colour
        )


@dataclass(frozen=True)
class Views:
    """One ground, as a page shows it: both dates, and the changes alone on a transparent ground.

    drawn: the changes over the date after, for paper and where no script runs.
    """

    before: Picture
    after: Picture
    lines: Picture
    drawn: Picture


@dataclass(frozen=True)
class PagePictures:
    """The pictures of a page: of the whole scene, and of each of the top changes.

    scale: of the scene; None where lengths are unknown. top: one of each change of Facts.top.
    sparse: whether the scene is shown by samples only.
    """

    scene: Views
    scale: ScaleBar | None
    top: Sequence[Views]
    sparse: bool = False


def render(
    facts: Facts,
    listed: Sequence[ListedChange],
    pictures: PagePictures | None,
    colours: PageColours,
) -> str:
    """The page as text; every value of the run is escaped.

    listed: the rows of its table of changes. pictures: None where the rasters can no longer be read.
    """
    # Our own files and numbers, without texts from outside.
    style, script = _style(pictures, colours), (HERE / "page.js").read_text("utf-8")
    return load_template().render(
        facts=facts,
        listed=listed,
        names=sorted({change.change for change in listed if change.change}),
        pictures=pictures,
        colours=colours,
        sketch=sketch_of(facts.place),
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
        version=__version__,
        most=_bar_maxima(facts),
    )


def _style(pictures: PagePictures | None, colours: PageColours) -> str:
    rules = (HERE / "page.css").read_text("utf-8") + colours.rules()
    if pictures is not None:
        picture, scale = pictures.scene.before, pictures.scale
        rules += f"#scene {{ --ratio: {picture.width / picture.height:.4f}; }}\n"
        rules += "" if scale is None else f".scale {{ width: {100 * scale.share:.2f}%; }}\n"
    return rules


def _policy(style: str, script: str) -> str:
    """The content security policy (CSP level 3): nothing from outside, no text as a script."""
    style, script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


@cache
def load_template() -> Template:
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
        change_name,
    ):
        environment.filters[word.__name__] = word
    return environment.get_template("page.html.j2")


def change_name(name: str) -> str:
    """A name of change with an arrow, cut where it is too long."""
    arrow = name.replace("->", "\N{RIGHTWARDS ARROW}")
    if len(arrow) <= LONGEST_NAME:
        return arrow
    return f"{arrow[: LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _bar_maxima(facts: Facts) -> dict[str, float]:
    """The value of the longest bar of each chart."""
    return {
        "change": max((group.area_m2 for group in facts.by_change), default=0) or 1,
        "size": max((group.area_m2 for group in facts.by_size), default=0) or 1,
        "histogram": max(facts.histogram, default=0) or 1,
        "seconds": max((stage.seconds for stage in facts.stages), default=0) or 1,
    }
