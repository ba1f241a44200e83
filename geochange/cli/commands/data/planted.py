"""`geochange data planted`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geochange.cli.path_types import File, Folder
from geochange.cli.rerun_hints import RESTART_HINT, with_hint

CONFIG = File(dir_okay=False)


@click.command(
    epilog="Example: geochange data planted DATA --sheet planted.png --config configs/default.yaml"
)
@click.argument("root", type=Folder())
@click.option("--sheet", type=CONFIG, required=True, metavar="FILE", help="the PNG to write")
@click.option("--config", type=CONFIG, metavar="FILE", help="options of a training; else defaults")
@click.option("--count", type=click.IntRange(1, 400), default=32, show_default=True, metavar="N")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N")
@click.option("--kept-out", is_flag=True, help="pairs to validate on, of the cities kept out")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
def planted(root: Path, sheet: Path, config: Path | None, quiet: bool, **given: Any) -> None:
    """Show pairs with planted changes, made of the pictures in ROOT, as in training.

    ROOT holds revisits/naip/CITY_YEAR_INDEX.jpg, revisits/sentinel2/time1 and time2, and
    scenes/SET/CLASS/*.jpg; each of them is optional. A row shows before, after and label.
    """
    from geochange.config import TrainOptions
    from geochange.config.yaml_files import read_options
    from geochange.files.report_files import refuse_foreign_image
    from geochange.trainer.recipe import planted_source_of
    from geochange.training.planting.pair_sheet import write_pair_sheet

    refuse_foreign_image(sheet, "--sheet")
    options = read_options(TrainOptions, config, {}) if config else TrainOptions()
    options = options.model_copy(update={"seed": given["seed"]})
    source = planted_source_of(options, root, kept_out=given["kept_out"])
    count = given["count"]
    with with_hint(RESTART_HINT):
        chips = [source[number] for number in range(count)]
        write_pair_sheet(sheet, chips)
    if not quiet:
        share = sum(float((chip.label == 1).mean()) for chip in chips if chip.label is not None)
        click.echo(f"{sheet}  {count} pairs, {share / count:.1%} of their pixels changed")
