"""The paper's table: results of checkpoints on the five data sets, beside the published ones.

    CDPATH=/data python pipelines/reproduce.py --checkpoints weights --out table
    CDPATH=/data python pipelines/reproduce.py --train --variant vit-b16 --out table

A data set is in a folder of its name under CDPATH, its checkpoint in weights/SYSU-CD.safetensors (or
.pth). WHU-CD is also evaluated as a whole: WHU-CD/whole/{before,after,label}.tif is the test area of
the official split in one piece. It is run as any pair, and its probability is compared with the label.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import rasterio

import geochange
from geochange import GeochangeError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SETS = {
    "SYSU-CD": ("sysu.yaml", 0.7141, 0.8332),
    "LEVIR-CD": ("levir.yaml", 0.8520, 0.9201),
    "LEVIR-CD+": ("levir_plus.yaml", 0.7563, 0.8612),
    "WHU-CD": ("whu.yaml", 0.9015, 0.9482),
    "CDD": ("cdd.yaml", 0.9587, 0.9789),
}
"""The options of each data set, and the published IoU and F1 of change (ChangeCLIP, best tower)."""

FIGURES = {"iou": "IoU", "f1": "F1", "precision": "precision", "recall": "recall", "accuracy": "OA"}
WHOLE = ("before", "after", "label")
Row = dict[str, Any]


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: CDPATH=/data python pipelines/reproduce.py --checkpoints weights --out table",
)
@click.option("--data", envvar="CDPATH", type=Path, required=True, help="folder of sets; or CDPATH")
@click.option("--out", required=True, type=Path, metavar="DIR", help="for the table and trainings")
@click.option("--checkpoints", type=Path, metavar="DIR", help="of NAME.safetensors or NAME.pth")
@click.option("--train", "teach", is_flag=True, help="train where there is no checkpoint")
@click.option("--variant", default="rn50", show_default=True, help="of a training: rn50, vit-b16")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="of a training")
@click.option("--quiet", is_flag=True, help="print nothing but warnings and errors")
def reproduce(out: Path, quiet: bool, **given: Any) -> None:
    """Evaluate on the test split of every set that is there; what is missing is said in its row."""
    if not given["data"].is_dir():
        raise click.ClickException(
            f"{given['data']}: no such folder; name the one of the data sets"
        )
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in SETS:
        with geochange.screen(quiet, log_json=False) as report:
            rows += rows_of(name, out, given, report)
    write(rows, out)
    if not quiet:
        click.echo((out / "table.md").read_text("utf-8"), nl=False)
    if any(row["note"].startswith("failed") for row in rows):
        sys.exit(1)


def rows_of(name: str, out: Path, given: dict[str, Any], report: Any) -> list[Row]:
    """The rows of a data set: its chips, and for WHU-CD also the whole area."""
    root = given["data"] / name
    whole = root / "whole"
    if not root.is_dir():
        return [row(name, note=f"missing: no {root}")]
    try:
        model = checkpoint(name, out, given, report)
        if model is None:
            return [row(name, note="missing: no checkpoint; --checkpoints DIR has it, or --train")]
        rows = [row(name, on_chips(model, root, report))]
        if name == "WHU-CD" and all((whole / f"{x}.tif").is_file() for x in WHOLE):
            rows.append(row(f"{name}, whole", on_whole(model, whole, out, report)))
        elif name == "WHU-CD":
            rows.append(row(f"{name}, whole", note=f"missing: no {', '.join(WHOLE)} in {whole}"))
        return rows
    except GeochangeError as error:
        return [row(name, note=f"failed: {' '.join(str(error).split())}")]


def row(name: str, figures: dict[str, float] | None = None, note: str = "") -> Row:
    """A row of the table."""
    _, iou, f1 = SETS[name.partition(",")[0]]
    known = {title: (figures or {}).get(key) for key, title in FIGURES.items()}
    return {"set": name, **known, "published IoU": iou, "published F1": f1, "note": note}


def checkpoint(name: str, out: Path, given: dict[str, Any], report: Any) -> str | None:
    """The checkpoint of a data set: an existing one, or one that is trained now."""
    folder = given["checkpoints"]
    files = [folder / f"{name}{suffix}" for suffix in (".safetensors", ".pth")] if folder else []
    if found := next((file for file in files if file.is_file()), None):
        return str(found)
    if not given["teach"]:
        return None
    settings = {"data.root": str(given["data"] / name), "network.variant": given["variant"]}
    settings |= dict(map(geochange.parse_setting, given["settings"]))
    how = {"settings": settings, "resume": True, "watch": report}
    return str(geochange.train(CONFIGS / SETS[name][0], out / "training" / name, **how).best)


def on_chips(model: str, root: Path, report: Any) -> dict[str, float]:
    """Figures on the chips of the test split, at a threshold of 0.5, as published."""
    found = geochange.evaluate(model, root, report, split="test", threshold=0.5).figures
    return {name: found[name].value for name in FIGURES}


def on_whole(model: str, whole: Path, out: Path, report: Any) -> dict[str, float]:
    """Figures of the stitched probability of a whole area, at a threshold of 0.5."""
    pair = (whole / "before.tif", whole / "after.tif")
    result = geochange.detect(*pair, out / "whole.gpkg", report, model=model, threshold=0.5)
    counts = np.zeros(4, np.int64)  # true negative, false negative, false positive, true positive
    with rasterio.open(result.raster) as found, rasterio.open(whole / "label.tif") as label:
        if found.shape != label.shape:
            raise GeochangeError(f"{label.name}: has another shape than before.tif; cut them alike")
        for _, window in found.block_windows(1):
            byte, truth = found.read(1, window=window), label.read(1, window=window) > 0
            seen = byte != 255
            kind = 2 * (byte[seen] >= math.ceil(0.5 * 254)) + truth[seen]
            counts += np.bincount(kind, minlength=4)
    none, missed, wrong, right = counts.tolist()
    return dict(geochange.Counts(right, wrong, missed, none).figures())


def write(rows: list[Row], out: Path) -> None:
    """Write table.csv, and table.md for reading."""
    with (out / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    for line in rows:
        shares = (f"{100 * x:.2f}" if isinstance(x, float) else x or "" for x in line.values())
        lines.append(list(shares))
    (out / "table.md").write_text("".join(f"| {' | '.join(line)} |\n" for line in lines), "utf-8")


if __name__ == "__main__":
    geochange.run_command(reproduce)
