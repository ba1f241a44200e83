r"""A place through time: dated rasters in, one GeoPackage out that QGIS plays.

    python pipelines/monitor.py scenes/ --out watch
    python pipelines/monitor.py https://earth-search.aws.element84.com/v1 --out watch \
        --collection sentinel-2-l2a --aoi place.gpkg --dates 2024-01-01/2025-01-01

Pairs that are done are not run again; one that fails is named, and the rest go on. In QGIS:
open changes.gpkg, View > Panels > Temporal Controller, play.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

import geochange
from geochange import GeochangeError

RASTERS = {".tif", ".tiff", ".jp2", ".vrt", ".img"}


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: python pipelines/monitor.py scenes/ --out watch --pairs first-last",
)
@click.argument("source", nargs=-1, required=True)
@click.option("--out", required=True, type=Path, metavar="DIR", help="for all results")
@click.option(
    "--pairs",
    type=click.Choice(["consecutive", "first-last"]),
    default="consecutive",
    show_default=True,
    help="which dates are compared",
)
@click.option("--aoi", metavar="FILE", help="polygons of the place; nothing else is worked on")
@click.option("--collection", metavar="NAME", help="of a STAC search")
@click.option("--dates", metavar="FROM/TO", help="of a STAC search, such as 2024-01-01/2025-01-01")
@click.option("--asset", default="visual", show_default=True, help="of a STAC item; or red,green")
@click.option("--clouds", default=20.0, show_default=True, help="per cent that an item may have")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="of run: tile=512")
@click.option("--overwrite", is_flag=True, help="reviews in an earlier changes.gpkg may go")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print progress and result as lines of JSON")
def monitor(source: tuple[str, ...], out: Path, quiet: bool, **given: Any) -> None:
    """Find what changed from date to date in SOURCE: rasters, a folder of them, or a STAC API.

    The date of a raster is in its metadata or in its name (2024-05-31, 20240531).
    """
    say = (lambda text: None) if quiet or given["log_json"] else click.echo
    scenes = search(source[0], given) if "://" in source[0] else look(*map(Path, source))
    if len(scenes) < 2:
        counted = f"holds {len(scenes)} dated rasters"
        raise click.ClickException(f"{source[0]}: {counted}; two are compared")
    days = sorted(scenes)
    (out / "pairs").mkdir(parents=True, exist_ok=True)
    chosen = list(pairwise(days)) if given["pairs"] == "consecutive" else [(days[0], days[-1])]
    options = dict(setting.partition("=")[::2] for setting in given["settings"])
    aoi = given["aoi"]
    options |= {"aoi": str(Path(aoi).absolute()) if Path(aoi).exists() else aoi} if aoi else {}
    spans, failed = [], 0
    stages = {f"{start} to {end}": 1.0 for start, end in chosen}
    with geochange.screen(not given["log_json"], given["log_json"], stages) as report:
        for (start, end), name in zip(chosen, stages, strict=True):
            file = out / f"pairs/{start}_{end}.gpkg"
            try:
                changes = compare((scenes[start], scenes[end]), file, options, of(report, name))
            except GeochangeError as error:
                failed += 1
                click.echo(f"{name}: {' '.join(str(error).split())}", err=True)
                continue
            spans.append(geochange.Span(start, end, changes))
            say(f"{name}: {len(changes):,} changes")
    if spans:
        total = geochange.write_timeline(spans, out / "changes.gpkg", given["overwrite"])
        say(f"changes  {out / 'changes.gpkg'}  {total:,} in {len(spans)} pairs")
        if given["log_json"]:
            geochange.say_json("result", out=str(out / "changes.gpkg"), changes=total)
    if failed:
        click.echo(f"{failed} of {len(chosen)} pairs failed; the same command tries them", err=True)
        sys.exit(1)


def of(report: Any, name: str) -> Any:
    """The progress of a pair: that of its longest stage, under the name of the pair."""
    return lambda stage, *counts: report(name, *counts) if stage == "infer" else None


def compare(pair: tuple[str, str], file: Path, options: Mapping[str, Any], progress: Any) -> Any:
    """The changes of a pair: computed now, or earlier with the same rasters and options."""
    told = {"before": pair[0], "after": pair[1], "options": dict(options)}
    note = file.with_suffix(".json")
    if file.is_file() and note.is_file() and json.loads(note.read_text("utf-8")) == told:
        return geochange.read_changes(file)
    result = geochange.detect(*pair, file, progress, **options)
    note.write_text(json.dumps(told), "utf-8")
    return result.changes


def look(first: Path, *more: Path) -> dict[date, str]:
    """Rasters, or those of a folder, by their dates. Refuses two of the same day."""
    if not more and not first.is_dir():
        raise click.ClickException(f"{first}: no such folder; name one of dated rasters")
    rasters = [first, *more]
    if not more:
        rasters = sorted(path for path in first.iterdir() if path.suffix.lower() in RASTERS)
    scenes: dict[date, str] = {}
    for path in rasters:
        found = geochange.date_of(path)
        if found is None:
            raise click.ClickException(f"{path}: has no date; put it into its name (2024-05-31)")
        if found in scenes:
            raise click.ClickException(f"{path} and {scenes[found]} are of one day; leave one")
        scenes[found] = str(path.absolute())
    return scenes


def search(api: str, given: dict[str, Any]) -> dict[date, str]:
    """The items of a STAC API for the area, by day: of each day the one with the fewest clouds."""
    try:
        from pystac_client import Client
        from pystac_client.exceptions import APIError
    except ImportError as error:
        raise click.ClickException("a search needs pystac-client: pip install it") from error
    missing = [name for name in ("collection", "aoi", "dates") if not given[name]]
    if missing:
        raise click.ClickException(f"a search needs --{' and --'.join(missing)}")
    bounds = geochange.bounds_of(given["aoi"])
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it logs every retry
    try:
        found = Client.open(api).search(
            collections=[given["collection"]], bbox=bounds, datetime=given["dates"]
        )
        items = list(found.items())
    except (APIError, OSError, ValueError) as error:
        raise click.ClickException(f"{api}: {' '.join(str(error).split())}") from error
    clear = [i for i in items if i.properties.get("eo:cloud_cover", 0) <= given["clouds"]]
    clear.sort(key=lambda item: -item.properties.get("eo:cloud_cover", 0))
    return {i.datetime.date(): f"{i.get_self_href()}#{given['asset']}" for i in clear if i.datetime}


if __name__ == "__main__":
    geochange.run_command(monitor)
