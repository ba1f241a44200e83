"""Fine-tune a model for your area: from a pair and polygons to a checkpoint and its gain.

    python pipelines/finetune.py 2015.tif 2024.tif changes.gpkg --reviewed --from MODEL --out tuned

cut into chips -> (train lets CLIP name what they show) -> train -> evaluate both -> run on a new
pair. All results are in --out. An interrupted pipeline continues when it is started again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

import geochange

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "finetune.yaml"
STAGES = {"cut": 0.05, "prompts": 0.1, "learn": 0.6, "validate": 0.05, "evaluate": 0.2}
"""About the share of each stage in the time."""
SHOWN = {"f1": "F1", "iou": "IoU", "precision": "precision", "recall": "recall"}


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: python pipelines/finetune.py 2015.tif 2024.tif changes.gpkg --reviewed "
    "--from model.safetensors --out tuned --new 2024.tif 2025.tif",
)
@click.argument("before")
@click.argument("after")
@click.argument("polygons")
@click.option("--from", "model", required=True, metavar="MODEL", help="checkpoint to start from")
@click.option(
    "--out",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    metavar="DIR",
    help="for all results",
)
@click.option("--reviewed", is_flag=True, help="take the polygons by their status, set in QGIS")
@click.option("--new", nargs=2, metavar="BEFORE AFTER", help="another pair to run the result on")
@click.option("--size", default=256, show_default=True, metavar="N", help="pixels a side of a chip")
@click.option("--val", default=0.2, show_default=True, metavar="X", help="share to measure on")
@click.option("--bands", metavar="TEXT", help="red, green and blue, such as 4,3,2")
@click.option(
    "--config",
    default=CONFIG,
    type=click.Path(readable=False, path_type=Path),
    metavar="YAML",
    help="how to train",
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="such as optim.steps=200"
)
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
@click.option("--log-json", is_flag=True, help="print progress and result as lines of JSON")
def finetune(out: Path, model: str, new: tuple[str, str] | None, quiet: bool, **given: Any) -> None:
    """Tune MODEL on the change between BEFORE and AFTER that POLYGONS show.

    POLYGONS are what you drew, or, with --reviewed, what `geochange run` found and you accepted or
    rejected in QGIS. A share of the chips (--val) is kept out of training; both models are measured
    on it.
    """
    make_folder(out)
    chips = out / "chips"
    say = (lambda text: None) if quiet or given["log_json"] else click.echo
    with geochange.screen(quiet, given["log_json"], STAGES) as report:
        cut_once(chips, given, report)
        settings = dict(map(geochange.parse_setting, given["settings"]))
        trained = geochange.train(
            given["config"],
            out / "training",
            settings={
                "network.start": model,
                "data.root": str(chips),
                "augment.size": given["size"],
                **settings,
            },
            resume=True,
            watch=report,
        )
        figures = {
            name: measure(which, chips, report)
            for name, which in (("before", model), ("after", str(trained.best)))
        }
        (out / "gain.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
        lost = figures["after"]["f1"] < figures["before"]["f1"]
        result = None
        if new:
            options = {"model": model if lost else str(trained.best), "bands": given["bands"]}
            result = geochange.detect(*new, out / "changes.gpkg", report, **options)
    say(gain(figures))
    say(f"checkpoint  {trained.best}")
    if lost:
        then = f"; the new pair was worked by {model}" if new else ""
        click.echo(f"geochange: tuning lost F1{then}; give more polygons, reviewed ones", err=True)
    if given["log_json"]:
        changes = str(result.out) if result else None
        geochange.say_json("result", checkpoint=str(trained.best), gain=figures, changes=changes)
    if result:
        count = f"{result.polygons:,} polygon{'s' * (result.polygons != 1)}"
        say(f"changes     {result.out}  {count}, {result.changed_m2:,.0f} m2")


def make_folder(out: Path) -> None:
    """Make the folder of results. Raises OutputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{out} cannot be made: {error.strerror}") from error


def cut_once(chips: Path, given: dict[str, Any], report: Any) -> None:
    """Cut the pair, unless an earlier start has done it. Refuses chips of other polygons."""
    account = chips / "chips.json"
    if not account.is_file():
        names = ("size", "val", "bands", "reviewed")
        options = {name: given[name] for name in names}
        pair = (given["before"], given["after"], given["polygons"])
        geochange.cut(*pair, chips, report, **options)
    elif account.stat().st_mtime < changed_at(given["polygons"]):
        raise click.BadParameter(
            f"{given['polygons']} is newer than the chips in {chips}: name another --out"
        )


def changed_at(polygons: str) -> float:
    """When a file was last saved; 0 for a file in an archive."""
    return os.path.getmtime(polygons) if os.path.exists(polygons) else 0.0


def measure(model: str, chips: Path, report: Any) -> dict[str, float]:
    """Figures on the held-out chips, at the model's own threshold."""
    found = geochange.evaluate(model, chips, report, split="val").figures
    return {name: round(found[name].value, 4) for name in SHOWN}


def gain(figures: dict[str, dict[str, float]]) -> str:
    """The gain by tuning, as a small table."""
    lines = [f"{'on held-out chips':<26}{'before':>8}{'after':>8}{'gain':>8}"]
    for name, title in SHOWN.items():
        before, after = figures["before"][name], figures["after"][name]
        lines.append(f"{title:<26}{before:>8.3f}{after:>8.3f}{after - before:>+8.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    geochange.run_command(finetune)
