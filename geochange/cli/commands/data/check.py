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

    ROOT holds train/, val/ and test/ with time1/ time2/ label/ (sysu), A/ B/ label/ (levir, whu),
    A/ B/ OUT/ (cdd) or NAME/before.tif (pairs), or train.txt, val.txt, test.txt (list). training/,
    valid/, validation/, dev/ and testing/ are splits too, in upper or lower case. A file that
    cannot be used is an error that names it; leaks are reported.
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
        table.add_row(name, *(row[name] for row in rows.values()))
    table.add_section()
    for leak in found.leaks:
        cells = [_names(leak) if split == leak.splits[1] else "" for split in found.splits]
        # Text, so that file names are not read as markup.
        label = Text(f"{leak.what} as in {leak.splits[0]}", style="yellow")
        table.add_row(label, *(Text(cell, style="yellow") for cell in cells))
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
        "chips": f"{split.chips:,}",
        "height x width px": "\n".join(_sizes(split)),
        "type": ", ".join(split.dtypes),
        "labels": ", ".join(f"{value} {meanings[value]}" for value in split.label_values),
        "change": f"{split.change_share:.2%}",
        "unknown": f"{split.unknown_px / pixels:.2%}" if split.unknown_px else "none",
        "chips without change": f"{split.without_change:,} ({split.without_change / split.chips:.0%})",
    }


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
