"""`geochange preview`."""

from __future__ import annotations

from pathlib import Path

import click

from geochange.cli.path_types import File
from geochange.cli.rerun_hints import RESTART_HINT, with_hint


@click.command(
    epilog="Example: geochange preview changes.gpkg   or, one change: geochange preview "
    "changes.gpkg --id 12",
)
@click.argument("changes", type=File())
@click.option(
    "--out",
    type=File(),
    metavar="FILE.png",
    help="the picture; else beside CHANGES",
)
@click.option("--before", metavar="FILE", help="the raster before, if it was moved since")
@click.option("--after", metavar="FILE", help="the raster after, if it was moved since")
@click.option(
    "--id", "number", type=click.IntRange(1), metavar="N", help="look at one change closely"
)
@click.option(
    "--size",
    type=click.IntRange(100, 4000),
    default=800,
    show_default=True,
    metavar="N",
    help="pixels along the longer side of each panel",
)
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
def preview(
    changes: Path, out: Path | None, number: int | None, size: int, quiet: bool, **rasters: str
) -> None:
    """Draw CHANGES, a file of `geochange run`, as one picture: before, after, changes.

    Polygons are coloured by their confidence, as in QGIS: by the mean probability of their pixels where
    the model is not calibrated. The file stores where the rasters
    are; of large rasters only a small part is read.
    """
    from geochange.workflows.preview import preview as draw

    with with_hint(RESTART_HINT):
        picture = draw(changes, out, (rasters["before"], rasters["after"]), number, size)
    if not quiet:
        click.echo(f"picture  {picture}")
