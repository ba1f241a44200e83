"""`geochange train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geochange.cli.evaluation_tables import class_rows
from geochange.cli.path_types import File, Folder
from geochange.cli.progress_display import closing_table, say_json, screen
from geochange.cli.rerun_hints import with_hint
from geochange.config import TrainOptions
from geochange.config.yaml_files import parse_setting, read_options, to_yaml

if TYPE_CHECKING:
    from geochange.workflows.train import Trained

RESUME_HINT = "add --resume to go on where it was"
"""The hint after an interruption; harmless where nothing was saved yet."""


@click.command(epilog="Example: geochange train configs/smoke.yaml --data CHIPS --out runs/smoke")
@click.argument("config", type=File(dir_okay=False))
@click.option(
    "--data",
    type=Folder(),
    metavar="ROOT",
    help="folder of the data set, with train/ and val/ in it",
)
@click.option(
    "--out",
    type=File(file_okay=False),
    metavar="DIR",
    help="folder for checkpoints, figures and pictures; else runs/ and the name of CONFIG",
)
@click.option(
    "--from",
    "start",
    metavar="MODEL",
    help="weights to start from: a checkpoint, or CLIP as MODEL/TAG or a file",
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="such as optim.lr=1e-4"
)
@click.option("--resume", is_flag=True, help="go on with what is in --out, or begin")
@click.option("--show", is_flag=True, help="print every option with its value, and do nothing")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print progress and result as lines of JSON")
def train(
    config: Path, out: Path | None, resume: bool, show: bool, quiet: bool, **given: Any
) -> None:
    """Train ChangeCLIP on labelled chips, with the options of the YAML file CONFIG.

    The data set holds train/ and val/, each with time1/, time2/ and label/ (or A/, B/ and label/ or
    OUT/). Results are written to DIR: best.safetensors, which `geochange run --model` takes,
    last.safetensors, metrics.csv, pictures of every validation, and files for TensorBoard. An
    interrupted training goes on with --resume, to the same weights.
    """
    options = _read(config, given["data"], given["start"], given["settings"])
    if show:
        click.echo(to_yaml(options), nl=False)
        return
    from geochange.workflows.train import (
        train as learn,  # torch: only after the options are checked
    )

    log_json = given["log_json"]
    with with_hint(RESUME_HINT), screen(quiet, log_json) as report:
        trained = learn(options, out or Path("runs") / config.stem, resume=resume, watch=report)
    if trained.first:
        _announce(trained, quiet, log_json)


def _read(
    config: Path, data: Path | None, start: str | None, settings: tuple[str, ...]
) -> TrainOptions:
    overrides = dict(parse_setting(text) for text in settings)
    overrides |= {"data.root": str(data)} if data is not None else {}
    overrides |= {"network.start": start} if start is not None else {}
    return read_options(TrainOptions, config, overrides)


def _announce(trained: Trained, quiet: bool, log_json: bool) -> None:
    if log_json:
        say_json(
            "result",
            best=str(trained.best),
            steps=trained.steps,
            figures=dict(trained.figures),
            threshold=trained.threshold,
            temperature=trained.temperature,
            seconds=trained.seconds,
            waiting=trained.waiting,
            already=trained.already,
        )
    elif "building_iou" in trained.figures and not quiet:
        closing_table(_land_rows(trained), "What stands there, on pictures kept out")
        click.echo(f"checkpoint  {trained.best}")
        click.echo(f"join it     geochange weights join MODEL {trained.best} joined.safetensors")
    elif not quiet:
        title = f"Best on validation, threshold {trained.threshold:.3f}"
        closing_table(_rows(trained), title)
        if trained.already:
            click.echo("nothing to do: this training is complete and stays unchanged")
        click.echo(f"checkpoint  {trained.best}")
        click.echo(
            f"try it      geochange run before.tif after.tif --out changes.gpkg --model {trained.best}"
        )


def _land_rows(trained: Trained) -> dict[str, str]:
    return {name: f"{value:.3f}" for name, value in trained.figures.items()} | {
        "steps": f"{trained.steps:,}"
    }


def _rows(trained: Trained) -> dict[str, str]:
    """The figures at the fitted threshold, which `run` uses, then those at 0.5."""
    figures = trained.figures
    told = {
        "IoU of change": f"{figures['iou_at_threshold']:.3f}",
        "F1 of change": f"{figures['f1_at_threshold']:.3f}",
        "IoU, F1 at 0.5": f"{figures['iou']:.3f}, {figures['f1']:.3f}",
        **class_rows(figures),
        "temperature": f"{trained.temperature:.2f}",
        "calibration error": f"{figures['ece_before']:.4f} -> {figures['ece_after']:.4f}",
        "steps": f"{trained.steps:,}",
    }
    if trained.already:
        return told
    timed = {"seconds": f"{trained.seconds:.1f}", "waiting for data": f"{trained.waiting:.1%}"}
    return told | timed
