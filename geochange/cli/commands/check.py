"""`geochange check`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from geochange.cli.options import GroupedCommand, options_of
from geochange.cli.path_types import File
from geochange.cli.progress_display import say_json
from geochange.cli.rerun_hints import RESTART_HINT, with_hint
from geochange.cli.tables import titled_table
from geochange.config import CheckOptions
from geochange.files.atomic import write_text
from geochange.files.output_paths import check_target, refuse_same_as_input
from geochange.formatting import printable

if TYPE_CHECKING:
    from geochange.inputs.inspection import DateReport, Inspection


@click.command(
    cls=GroupedCommand, epilog="Example: geochange check 2015.tif 2024.tif --json check.json"
)
@click.argument("before")
@click.argument("after")
@options_of(CheckOptions)
@click.option("--json", "file", type=File(), help="write it as JSON, too")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print the result as a line of JSON")
def check(
    before: str, after: str, file: Path | None, quiet: bool, log_json: bool, **options: Any
) -> None:
    """Inspect the rasters BEFORE and AFTER before they are compared.

    Shows where and when they were taken, what ground they share, how far one is shifted against the
    other, what is missing or cloudy, and how much their histograms differ, with a cure for each. It
    reads windows spread over the scene, never the whole. It ends with exit code 2 and one line
    where the two cannot be compared at all. `run` makes the same checks and stores them with its
    result.
    """
    if file is not None:
        check_target(file)
        refuse_same_as_input("--json", file, [before, after, options["aoi"], options["grid"]])
    from geochange.workflows.inspect_pair import inspect_pair

    with with_hint(RESTART_HINT):
        seen = inspect_pair(before, after, **options)
    if file is not None:
        write_text(file, json.dumps(seen.to_json(), indent=2, ensure_ascii=False) + "\n")
    if log_json:
        say_json("result", **seen.to_json())
    elif not quiet:
        show_inspection(seen)


def show_inspection(inspection: Inspection) -> None:
    """Show both dates side by side, then the pair, then the warnings."""
    console = Console()
    console.print(_dates(inspection))
    console.print(_pair(inspection))
    for warning in inspection.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), warning))
    if not inspection.warnings:
        console.print("Nothing speaks against comparing them.")


def _dates(inspection: Inspection) -> Table:
    table = titled_table("The dates", "", "before", "after", numbers=False)
    columns = [dict(_rows(date)) for date in (inspection.before, inspection.after)]
    for name in columns[0]:
        # Text, so that file names are not read as markup.
        table.add_row(name, *(Text(printable(column[name])) for column in columns))
    return table


def _rows(date: DateReport) -> Iterator[tuple[str, str]]:
    yield "file", date.name
    taken = date.acquired
    yield "taken", "not said" if taken is None else f"{taken.when} ({taken.source_tag})"
    yield "CRS", date.crs
    yield "size", f"{date.shape[1]:,} x {date.shape[0]:,} px of {date.pixel_m:.3g} m"
    yield "bands", f"{date.bands}, {date.dtype}"
    yield "nodata", f"{date.nodata:.1%}" + (f" (0, {date.nodata_rule})" if date.nodata_rule else "")
    yield "like cloud", f"{date.cloud:.1%}"


def _pair(inspection: Inspection) -> Table:
    table = titled_table("The pair", "", "", numbers=False)
    ground, shift = inspection.ground, inspection.shift
    table.add_row(
        "common ground",
        f"{ground.km2:,.3g} km², {ground.of_before:.0%} of before, {ground.of_after:.0%} of after",
    )
    table.add_row(
        "grid", f"{inspection.shape[1]:,} x {inspection.shape[0]:,} px, {printable(inspection.crs)}"
    )
    if inspection.resolution_ratio > 1.005:
        table.add_row("resolution", f"one {inspection.resolution_ratio:.2f} times coarser")
    bands = (",".join(map(str, numbers)) for numbers in dict.fromkeys(inspection.compared))
    table.add_row("bands compared", " with ".join(bands))
    if inspection.histogram_distance:
        told = ", ".join(f"{distance:.0%}" for distance in inspection.histogram_distance)
        table.add_row("histograms apart", f"{told} of their range")
    told = shift.why_untrusted
    if shift.trusted:
        way = (
            f" {inspection.offset.towards}, {inspection.offset.text}"
            if shift.length_px >= 0.05
            else ""
        )
        told = (
            f"{shift.length_px:.1f} px{way} (spread {shift.spread_px:.1f} px; "
            f"{shift.confidence:.0%} of {shift.votes} places agree)"
        )
    table.add_row("shift of after", told)
    return table
