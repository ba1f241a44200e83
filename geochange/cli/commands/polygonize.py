"""`geochange polygonize`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geochange.cli.options import options_of
from geochange.cli.path_types import File
from geochange.cli.progress_display import closing_table, say_json, screen
from geochange.cli.rerun_hints import RESTART_HINT, with_hint
from geochange.config import PolygonizeOptions
from geochange.formatting import area


@click.command(
    epilog="Example: geochange polygonize changes.tif --threshold 0.6 --min-area 200 --orthogonal",
)
@click.argument("raster")
@click.option(
    "--out",
    type=File(),
    metavar="FILE",
    help="polygons: .gpkg, .geojson, .fgb or .parquet; else beside RASTER, with the threshold in "
    "its name",
)
@options_of(PolygonizeOptions)
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print progress and result as lines of JSON")
def polygonize(raster: str, out: Path | None, quiet: bool, log_json: bool, **options: Any) -> None:
    """Draw the polygons of a run again from RASTER, its probability raster.

    Another threshold, smallest area or outline takes seconds: the network does not run again. With
    the options of the run the polygons are the same, except for class names, which the raster does
    not hold.
    """
    from geochange.workflows.polygonize import polygonize as draw_again

    with with_hint(RESTART_HINT), screen(quiet, log_json, {"polygons": 1.0}) as report:
        drawn = draw_again(raster, out, report, **options)
    if log_json:
        say_json(
            "result",
            out=str(drawn.out),
            polygons=drawn.polygons,
            changed_m2=drawn.changed_m2,
            threshold=drawn.threshold,
            seconds=drawn.seconds,
        )
    elif not quiet:
        rows = {
            "changed": area(drawn.changed_m2),
            "polygons": f"{drawn.polygons:,}",
            "threshold": f"{drawn.threshold:.3g}",
            "seconds": f"{drawn.seconds:.1f}",
        }
        closing_table(rows, "Changes")
        click.echo(f"polygons     {drawn.out}")
