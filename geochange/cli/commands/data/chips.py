"""`geochange data chips`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geochange.cli.options import options_of
from geochange.cli.path_types import Folder
from geochange.cli.progress_display import closing_table, screen
from geochange.cli.rerun_hints import RESTART_HINT, with_hint
from geochange.config.cut import CutOptions


@click.command(
    epilog="Example: geochange data chips 2015.tif 2024.tif changes.gpkg --out chips --reviewed",
)
@click.argument("before")
@click.argument("after")
@click.argument("labels")
@click.option(
    "--out",
    required=True,
    type=Folder(),
    metavar="ROOT",
    help="folder for train/, val/ and test/; new or empty",
)
@options_of(CutOptions)
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
def chips(before: str, after: str, labels: str, out: Path, quiet: bool, **options: Any) -> None:
    """Cut the rasters BEFORE and AFTER and their LABELS into chips to train on.

    BEFORE and AFTER are read as by `geochange run`. LABELS are polygons of what changed (.gpkg,
    .geojson, .fgb, .shp, .kml, .gml, zipped or not) or a raster: 0 unchanged, 1 changed, 255
    unknown; 0 and 255 alone are unchanged and changed. The numbers of a palette count, not its
    colours. With --reviewed they are the polygons of `geochange run` that you accepted or rejected
    in QGIS (attribute `status`), and those that you drew and accepted. Chips are written to
    ROOT/SPLIT/time1, time2 and label as PNG; neighbouring chips stay in one split. With --stretch raw
    they keep all bands and values, as GeoTIFF.
    """
    CutOptions.parse(options)
    # Imported after the checks: rasterio loads slower than a refusal may take.
    from geochange.workflows.cut_chips import cut

    with with_hint(RESTART_HINT), screen(quiet, log_json=False) as report:
        done = cut(before, after, labels, out, report, **options)
    if quiet:
        return
    rows = {
        split: f"{tally.chips:,} chips, {tally.change_share:.2%} change"
        for split, tally in done.splits.items()
    }
    left_out = {reason: count for reason, count in done.left_out.items() if count}
    rows |= {f"left out, {reason}": f"{count:,} chips" for reason, count in left_out.items()}
    rows["labels"] = ", ".join(f"{value} {what}" for value, what in done.label_values.items())
    closing_table(rows, "Chips")
    # Outside the table, which would cut a long path.
    click.echo(f"data set  {done.root}")
