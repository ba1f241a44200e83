"""Draw the rooms of the library and the imports between them: `python docs/architecture.py`.

A room is a folder of geochange/. An arrow says that a room imports from another. Arrows that follow
from others are left out: where A imports B and B imports C, A may import C.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "geochange"
PICTURE = ROOT / "docs" / "architecture.svg"

GROUND = "ground"
"""The modules and small folders that every room may import."""
BASE = (
    "errors",
    "chip",
    "land_cover",
    "progress",
    "formatting",
    "memory",
    "parallelism",
    "picture_drawing",
    "storage",
    "files",
    "interrupt",
)

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 236, 84, 26, 50, 20

Imports = dict[str, set[str]]

IMPORT = re.compile(r"^ *from geochange\.(\w+)", re.MULTILINE)
"""The room or module of an import. Syntax trees say the same, a second later."""


def imports() -> Imports:
    """For each room the rooms that it imports from."""
    found: Imports = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        room = room_of(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
        if room is not None:
            found.setdefault(room, set()).update(imported(path) - {room})
    return found


def room_of(name: str) -> str | None:
    """The room of a folder or module at the top of the package."""
    if name in BASE:
        return GROUND
    return name if (PACKAGE / name).is_dir() else None


def imported(path: Path) -> set[str]:
    """The rooms that a file imports from."""
    names = IMPORT.findall(path.read_text("utf-8"))
    return {room for name in names if (room := room_of(name)) is not None}


def downward(found: Imports) -> Imports:
    """Imports without those that point back up, which are few and are named in the test."""
    order = ranks(found)
    return {room: {o for o in others if order[o] > order[room]} for room, others in found.items()}


def ranks(found: Imports) -> dict[str, int]:
    """Rooms from the top down: who imports most rooms, and is imported by fewest, comes first."""
    importers = {room: sum(room in others for others in found.values()) for room in found}
    score = {room: (importers[room] - len(found[room]), room) for room in found}
    return {room: rank for rank, room in enumerate(sorted(found, key=lambda room: score[room]))}


def levels(found: Imports) -> list[list[str]]:
    """Rooms in rows: each stands one row below the lowest room that imports it."""

    @cache
    def level(room: str) -> int:
        return max((level(o) + 1 for o, others in found.items() if room in others), default=0)

    rows: list[list[str]] = [[] for _ in range(max(map(level, found)) + 1)]
    for room in sorted(found):
        rows[level(room)].append(room)
    return rows


def reduced(found: Imports) -> Imports:
    """Imports that do not follow from others: the transitive reduction."""

    @cache
    def below(room: str) -> frozenset[str]:
        return frozenset(found[room]).union(*(below(other) for other in found[room]))

    return {
        room: {o for o in others if not any(o in below(other) for other in others - {o})}
        for room, others in found.items()
    }


def describe(room: str) -> tuple[str, int]:
    """What a room is for, in a sentence, and how many files it has."""
    if room == GROUND:
        paths = [
            *(PACKAGE / f"{name}.py" for name in BASE),
            *(p for name in ("files", "storage") for p in (PACKAGE / name).glob("*.py")),
        ]
        return "Errors, values, words, files.", len([path for path in paths if path.is_file()])
    folder = PACKAGE / room
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    line = text.splitlines()[0] if text else ""
    return line.removeprefix(f"{room.upper()}: "), len(list(folder.rglob("*.py")))


def wrapped(text: str, width: int = 33, most: int = 3) -> list[str]:
    """A text in lines of at most so many characters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1]} ..."]


def box(room: str, x: float, y: float) -> str:
    """A room as a rectangle with its name, its number of files and its sentence."""
    sentence, files = describe(room)
    words = "".join(
        f'<text x="{x + 12}" y="{y + 42 + 15 * i}" class="words">{escape(line)}</text>'
        for i, line in enumerate(wrapped(sentence))
    )
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x + 12}" y="{y + 23}" class="name">{room}/</text>'
        f'<text x="{x + WIDTH - 12}" y="{y + 23}" class="files">{files} files</text>{words}'
    )


def arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """A curve from the lower edge of a room to the upper edge of one below."""
    (x0, y0), (x1, y1) = start, end
    bend = max(20.0, (y1 - y0) * 0.45)
    curve = f"{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1 - 2:.0f}"
    return f'<path d="M{x0:.0f} {y0:.0f} C{curve}"/>'


STYLE = """
rect { fill: #f6f8fa; stroke: #57606a; }
path { fill: none; stroke: #0072b2; stroke-opacity: 0.65; marker-end: url(#tip); }
text { font-family: sans-serif; fill: #1f2328; }
.name { font-size: 15px; font-weight: bold; }
.files { font-size: 11px; text-anchor: end; fill: #57606a; }
.words { font-size: 12px; }
"""


def draw() -> str:
    """The picture as SVG."""
    found = downward(imports())
    rows = levels(found)
    most = max(map(len, rows))
    width = 2 * MARGIN + most * WIDTH + (most - 1) * GAP_X
    places: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        left = (width - len(row) * WIDTH - (len(row) - 1) * GAP_X) / 2
        for column, room in enumerate(row):
            places[room] = (left + column * (WIDTH + GAP_X), MARGIN + number * (HEIGHT + GAP_Y))
    arrows = [
        arrow(
            (places[room][0] + WIDTH / 2, places[room][1] + HEIGHT),
            (places[other][0] + WIDTH / 2, places[other][1]),
        )
        for room, others in sorted(reduced(found).items())
        for other in sorted(others)
    ]
    height = 2 * MARGIN + len(rows) * HEIGHT + (len(rows) - 1) * GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>The rooms of geochange and the imports between them</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#0072b2" '
        'stroke="none" style="fill:#0072b2;marker-end:none"/></marker></defs>',
        f'<rect width="{width}" height="{height}" style="fill:#fff;stroke:none"/>',
        *arrows,
        *(box(room, *place) for room, place in sorted(places.items())),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
