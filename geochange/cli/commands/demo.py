"""`geochange demo`."""

from __future__ import annotations

from pathlib import Path

import click

from geochange.cli.commands.run import WEIGHTS, show_result
from geochange.cli.path_types import File
from geochange.cli.progress_display import demo_table, screen


@click.command(epilog="Example: geochange demo --out demo")
@click.option(
    "--out",
    type=File(file_okay=False),
    default="geochange-demo",
    show_default=True,
    metavar="DIR",
    help="folder for the pair and what is found in it",
)
@click.option(
    "--size",
    type=click.IntRange(512, 6000),
    default=1536,
    show_default=True,
    metavar="N",
    help="pixels a side",
)
@click.option("--seed", type=int, default=7, show_default=True, metavar="N", help="which landscape")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print progress and result as lines of JSON")
def demo(out: Path, size: int, seed: int, quiet: bool, log_json: bool) -> None:
    """Make a pair of pictures with known changes and find them.

    The pictures show a made-up village, its fields, forest and pond in two seasons, at 0.5 m a
    pixel. New houses, a hall and a road, a felled forest and a drained pond are the changes. The
    command runs `geochange run` on them and compares the result with what was planted.
    """
    from geochange.workflows.demo import prepare_folder, run_demo  # torch: after the options' check

    quiet = quiet or log_json
    prepare_folder(out)
    if not quiet:
        click.echo(f"Making a landscape of {size} x {size} pixels in {out}/ ...", err=True)
    with screen(quiet, log_json, WEIGHTS) as report:
        shown = run_demo(out, size, seed, report)
    show_result(shown.result, quiet, log_json)
    if not quiet:
        demo_table(shown.scores, shown.true_share)
        click.echo("In QGIS: Project > Open From > GeoPackage, project changes of that file")
