"""`geochange run`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from geochange.cli.options import GroupedCommand, given_options, options_of
from geochange.cli.path_types import FileOrAddress
from geochange.cli.progress_display import closing_table, say_json, screen
from geochange.cli.tables import titled_table
from geochange.config import RunOptions
from geochange.files.file_names import PathLike
from geochange.formatting import area, duration
from geochange.running.plan.disk_space import size_text
from geochange.workflows.preflight import check_run

if TYPE_CHECKING:
    from geochange.workflows.detect import Result
    from geochange.workflows.dry_run import DryRun


WEIGHTS = {"infer": 0.85, "polygons": 0.05, "write": 0.1}
"""About the share of each stage in the time of a run."""


class _RunCommand(GroupedCommand):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. A third name without --out is told with the option."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as error:
            _, extra, _ = self.make_parser(ctx).parse_args(args=given)
            if error.param is None or error.param.name != "out" or not extra:
                raise
            ctx.fail(f"Missing option '--out'; did you mean --out {extra[0]}?")


@click.command(
    cls=_RunCommand,
    epilog="Example: geochange run 2015.tif 2024.tif --out changes.gpkg --min-area 50",
)
@click.argument("before")
@click.argument("after")
@click.option(
    "--out",
    required=True,
    type=FileOrAddress(),
    metavar="FILE",
    help="polygons: .gpkg, .geojson, .fgb or .parquet; the probability goes beside it as .tif; with an "
    "address s3://, gs:// or az:// all is uploaded at the end",
)
@options_of(RunOptions)
@click.option("--dry-run", is_flag=True, help="say what it would take, and do nothing")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print progress and result as lines of JSON")
def run(
    before: str, after: str, out: PathLike, quiet: bool, log_json: bool, **options: Any
) -> None:
    """Find what changed between the rasters BEFORE and AFTER.

    Both are rasters in any format of GDAL, files or URLs, and may differ in CRS, resolution and
    extent. Either may also be tiles side by side ("before/*.tif", or a tile index
    "GTI:index.gpkg"), bands in files of their own ("B04.tif + B03.tif + B02.tif"), or a STAC item,
    file or URL, with or without an asset (item.json#visual). GDAL takes credentials from its
    environment variables, such as AWS_PROFILE, AWS_REQUEST_PAYER or GDAL_HTTP_HEADERS.

    The polygons open styled in QGIS. The probability of change is written beside them as a
    cloud-optimised GeoTIFF. A .gpkg is written part by part, for any number of polygons; the other
    formats need all polygons in memory at the end. An interrupted run goes on when the same command
    is given again.
    """
    dry_run = options.pop("dry_run")
    checked = check_run(before, after, out, RunOptions.parse(given_options(options)))
    if dry_run:
        from geochange.workflows.dry_run import estimate_run

        show_dry_run(estimate_run(checked), log_json)
        return
    # Imported after the checks: torch loads slower than a refusal may take.
    from geochange.workflows.detect import run as run_checked

    with screen(quiet, log_json, WEIGHTS) as report:
        result = run_checked(checked, report)
    show_result(result, quiet, log_json)


def show_dry_run(rehearsal: DryRun, log_json: bool) -> None:
    """Show what a run would take."""
    if log_json:
        say_json("plan", **asdict(rehearsal))
        return
    height, width = rehearsal.shape
    rows = {
        "common ground": f"{width:,} x {height:,} px",
        "tiles": f"{rehearsal.tiles:,} in {rehearsal.blocks:,} blocks",
        "on": f"{rehearsal.device}, {rehearsal.threads} threads",
        "memory": size_text(rehearsal.memory_bytes),
        "temporary disk": size_text(rehearsal.disk_bytes),
        "time": duration(rehearsal.seconds),
    }
    closing_table(rows, "What the run would take")
    if rehearsal.clusters:
        show_clusters(rehearsal)


def show_clusters(rehearsal: DryRun) -> None:
    """Show what the run would take on clusters."""
    volume = rehearsal.volume
    rows = {
        "tasks": f"{volume.tasks:,}",
        "requests": f"{volume.gets:,} GET, {volume.puts:,} PUT, {volume.heads:,} HEAD",
        "egress": f"{size_text(volume.egress_bytes)} at most, "
        f"{size_text(volume.input_bytes)} of it inputs, uncompressed",
        "written": f"{size_text(volume.work_written_bytes)} of work",
    }
    closing_table(rows, "With inputs and work in object storage")
    columns = "tasks alive", "scheduler memory", "storage", "time", "bound by"
    table = titled_table("On workers as fast as this machine", "workers", *columns)
    for plan in rehearsal.clusters:
        memory, storage = size_text(plan.scheduler_bytes), size_text(plan.storage_bytes)
        figures = f"{plan.tasks_alive:,}", memory, storage, duration(plan.seconds), plan.limit
        table.add_row(f"{plan.workers:,}", *figures)
    Console().print(table)


def show_result(result: Result, quiet: bool, log_json: bool) -> None:
    """Show what was found and where it is."""
    if log_json:
        say_json(
            "result",
            out=str(result.out),
            raster=str(result.raster),
            report=result.report and str(result.report),
            polygons=result.polygons,
            changed_m2=result.changed_m2,
            seconds=result.seconds,
            resumed=result.resumed,
            megapixels_per_s=result.megapixels_per_s,
            unreadable=result.unreadable.merged().to_json(),
        )
    elif not quiet:
        if result.seen_px == 0:
            click.echo("Nothing was seen: no pixel holds data at both dates (geochange check).")
        elif result.polygons == 0:
            click.echo("Nothing changed: the files are written, valid and empty.")
        rows = {
            "changed": area(result.changed_m2),
            "polygons": f"{result.polygons:,}",
            "seconds": f"{result.seconds:.1f}",
            "Mpx/s": f"{result.megapixels_per_s:.2f}",
        }
        if result.unreadable:
            whole = result.unreadable.merged()
            count = len({*whole.before, *whole.after})
            rows["unreadable"] = f"{count:,} places, nodata in the output"
        closing_table(rows, "Changes")
        # Outside the table, which would cut a long path.
        click.echo(f"polygons     {result.out}")
        click.echo(f"probability  {result.raster}")
        if result.report:
            click.echo(f"report       {result.report}")
