"""`geochange data check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from geochange.cli.path_types import File, Folder
from geochange.cli.progress_display import screen
from geochange.cli.rerun_hints import RESTART_HINT, with_hint
from geochange.cli.tables import titled_table
from geochange.files.atomic import write_text
from geochange.files.output_paths import check_target
from geochange.formatting import printable

if TYPE_CHECKING:
    from geochange.dataset import Leak, SplitSurvey, Survey

NAMED = 3
"""The number of leaking chips that are named; --json names all."""


@click.command(epilog="Example: geochange data check SYSU-CD --json sysu.json")
@click.argument("root", type=Folder())
@click.option("--layout", default="auto", show_default=True, metavar="NAME", help="how it is kept")
@click.option("--bands", metavar="TEXT", help="bands that are red, green, blue, such as 4,3,2")
@click.option("--json", "file", type=File(), help="write it as JSON, too")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
def check(root: Path, layout: str, bands: str | None, file: Path | None, quiet: bool) -> None:
    """Open every chip of ROOT, count, and look for leaks between splits.

    ROOT is a folder or a zip archive. Its layout is found by looking, or named: sysu, clcd, levir,
    whu, cdd, dsifn, s2looking, second, oscd, hrscd, dynamicearthnet, xbd, coco, roboflow, yolo,
    stac, pairs (NAME/before.tif) or list (train.txt, val.txt, test.txt). training/, valid/, validation/,
    dev/ and testing/ are splits too, in upper or lower case. A file that cannot be used is an error
    that names it; leaks are reported.
    """
    if file is not None:
        check_target(file)
    # Imported after the checks: rasterio loads slower than a refusal may take.
    from geochange.dataset import survey

    with with_hint(RESTART_HINT), screen(quiet, log_json=False) as report:
        found = survey(root, layout=layout, bands=bands, progress=report)
    if file is not None:
        write_text(file, json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
    if not quiet:
        Console().print(_table(found))


def _table(found: Survey) -> Table:
    table = titled_table("Data set", "", *found.splits)
    rows = {split: _rows(found.layouts[split], told) for split, told in found.splits.items()}
    for name in next(iter(rows.values())):
        # Text, so that file names are not read as markup.
        table.add_row(name, *(Text(row[name]) for row in rows.values()))
    table.add_section()
    for label, names in (("splits that miss", found.missing), ("folders ignored", found.ignored)):
        if names:
            table.add_row(label, Text(", ".join(map(printable, names))))
    for leak in found.leaks:
        cells = [_names(leak) if split == leak.splits[1] else "" for split in found.splits]
        heading = Text(f"{leak.what} as in {leak.splits[0]}", style="yellow")
        table.add_row(heading, *(Text(cell, style="yellow") for cell in cells))
    if not found.leaks:
        table.add_row("leaks", *("none" for _ in found.splits))
    return table


def _rows(layout: str, split: SplitSurvey) -> dict[str, str]:
    meanings = {
        0: "none",
        split.change: "change",
        **({} if split.change == 255 else {255: "unknown"}),
    }
    pixels = split.known_px + split.unknown_px
    return {
        "layout": layout,
        "reads": _lines(split.folders),
        "ignores": _lines(split.ignored),
        "misses": _lines(split.missing),
        "chips": f"{split.chips:,}",
        "height x width px": "\n".join(_sizes(split)),
        "type": ", ".join(split.dtypes),
        "bands": ", ".join(map(str, split.bands)) if split.bands else "the first three",
        "labels are": split.about_labels or "masks of change",
        "classes": ", ".join(map(printable, split.classes)) or "none, change alone",
        "label values": ", ".join(f"{value} {meanings[value]}" for value in split.label_values),
        "change": f"{split.change_share:.2%}",
        "unknown": f"{split.unknown_px / pixels:.2%}" if split.unknown_px else "none",
        "chips without change": f"{split.without_change:,} ({split.without_change / split.chips:.0%})",
    }


def _lines(names: tuple[str, ...]) -> str:
    return "\n".join(map(printable, names)) or "nothing"


def _sizes(split: SplitSurvey) -> list[str]:
    if len(split.sizes) == 1:
        return list(split.sizes)
    told = [f"{size}: {count:,}" for size, count in list(split.sizes.items())[:NAMED]]
    return told + ([f"{len(split.sizes) - NAMED} more"] if len(split.sizes) > NAMED else [])


def _names(leak: Leak) -> str:
    names = [second for _, second in leak.chips]
    plain = (printable(name) for name in names[:NAMED])
    more = ", ..." if len(names) > NAMED else ""
    return f"{len(names):,}: {', '.join(plain)}{more}"
