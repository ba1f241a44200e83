"""From chips with classes of both dates to a map of what changed into what."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from changeclip_cases import SMALL_LITE
from chip_folders import make_chips
from class_scenes import BUILDING, LOOKS, TREE, write_second
from makers import make_raster

from geochange.chip import Chip
from geochange.config import TrainOptions
from geochange.config.yaml_files import read_options
from geochange.errors import GeochangeError, InputError, OptionError
from geochange.models.changeclip.network import ChangeClip
from geochange.models.detector import DetectorSpec
from geochange.models.inference.batch import Batch, collate
from geochange.models.onnx.describe import describe
from geochange.models.onnx.network import OnnxNetwork
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card
from geochange.workflows.detect import Result, detect
from geochange.workflows.evaluate import evaluate
from geochange.workflows.export_network import ExportOptions, export_network
from geochange.workflows.train import train

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / "configs"
SECOND = ("water", "ground", "low vegetation", "tree", "building", "playground")
SHORT = {"augment.size": 32, "optim.steps": 8, "optim.warmup_steps": 1, "optim.batch": 2,
         "validation.every": 8, "data.workers": 0, "validation.sheet": 0, "log_every": 1}  # fmt: skip


def options_of(config: str, **settings: Any) -> TrainOptions:
    given = {**SHORT, **{name.replace("__", "."): value for name, value in settings.items()}}
    return read_options(TrainOptions, CONFIGS / config, given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chips with classes, a start, and a pair on which trees became a building everywhere."""
    made = tmp_path_factory.mktemp("semantic")
    write_second(made / "second", train=4, val=2)
    torch.manual_seed(5)
    start = Checkpoint(Card(SMALL_LITE, prompts="fixed"), ChangeClip(SMALL_LITE).state_dict())
    write_checkpoint(made / "start.safetensors", start)
    rng = np.random.default_rng(0)
    for name, look in (("before", LOOKS[TREE]), ("after", LOOKS[BUILDING])):
        pixels = np.array(look) + rng.normal(0, 6, (64, 64, 3))
        make_raster(made / f"{name}.tif", pixels.clip(0, 255).astype(np.uint8))
    return made


@pytest.fixture(scope="module")
def best(folder: Path) -> Path:
    """The checkpoint of a short training by configs/semantic.yaml."""
    start = str(folder / "start.safetensors")
    options = options_of("semantic.yaml", data__root=str(folder / "second"), network__start=start)
    return train(options, folder / "run").best


@pytest.fixture(scope="module")
def sure(best: Path) -> Path:
    """The same network, surer of its classes: `--only` asks for a probability of one half."""
    checkpoint = read_checkpoint(best)
    head = {n: 100 * x for n, x in checkpoint.tensors.items() if "land_head.classify" in n}
    made = replace(checkpoint, tensors={**checkpoint.tensors, **head})
    write_checkpoint(best.with_name("sure.safetensors"), made)
    return best.with_name("sure.safetensors")


def batch_of(folder: Path) -> Batch:
    before, after = (
        np.moveaxis(rasterio.open(folder / f"{name}.tif").read(), 0, -1)
        for name in ("before", "after")
    )
    return collate([Chip(before, after, np.ones((64, 64), bool))])


def run(folder: Path, model: Path, out: str, **options: Any) -> Result:
    given = {"skip_checks": True, "threads": 1, "min_area": 0, "threshold": 0.001, **options}
    pair = folder / "before.tif", folder / "after.tif"
    return detect(*pair, folder / out, model=str(model), **given)


@pytest.fixture(scope="module")
def result(folder: Path, sure: Path) -> Result:
    return run(folder, sure, "changes.gpkg")


def test_the_card_has_the_classes_with_colours_and_figures(best: Path) -> None:
    card = read_checkpoint(best).card
    assert card.land_classes.names == SECOND
    assert card.land_classes.by_name["building"] == "#800000"
    assert {"sek", "fscd", "scd_miou", "scd_score", "iou_of_low_vegetation"} <= card.metrics.keys()
    with (best.parent / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    losses = [float(row["loss"]) for row in rows if row["loss"]]
    assert len(losses) == 8
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert float(rows[-1]["scd_score"]) == pytest.approx(card.metrics["scd_score"], rel=1e-4)


def test_polygons_carry_the_classes_of_their_own_pixels(
    folder: Path, sure: Path, result: Result
) -> None:
    model = DetectorSpec(str(sure), precision="float32").build()
    land = model.land(batch_of(folder)).numpy()[0]
    wanted = [SECOND[np.bincount(date.ravel()).argmax()] for date in land]
    changes = result.changes
    assert len(changes) == 1
    row = changes.iloc[0]
    assert [row.before_class, row.after_class] == wanted
    shares = [(date == SECOND.index(name)).mean() for date, name in zip(land, wanted, strict=True)]
    assert [row.before_score, row.after_score] == pytest.approx(shares, abs=1e-6)
    assert row.change in (f"within {wanted[1]}", f"{wanted[0]} -> {wanted[1]}")


def test_styles_and_report_have_the_colours_of_the_classes(result: Result) -> None:
    with closing(sqlite3.connect(result.out)) as database:
        styles = dict(database.execute("SELECT styleName, styleQML FROM layer_styles"))
        ask = "SELECT value FROM geochange_run WHERE key = 'class_colours'"
        colours = json.loads(database.execute(ask).fetchone()[0])
    assert list(styles)[:4] == ["confidence", "change", "before class", "after class"]
    assert colours["tree"] == "#00ff00"
    assert list(colours) == list(SECOND)
    assert 'value="128,0,0,100"' in styles["after class"]
    row = result.changes.iloc[0]
    told = tuple(int(colours[row.after_class][at : at + 2], 16) for at in (1, 3, 5))
    assert f'value="{",".join(map(str, told))},100"' in styles["change"]
    page = Path(str(result.report)).read_text()
    assert f".kind-0 {{ background: rgb{told};" in page


def test_only_a_class_that_is_or_was_there(folder: Path, sure: Path, result: Result) -> None:
    row, batch = result.changes.iloc[0], batch_of(folder)
    absent = next(name for name in SECOND if name not in (row.before_class, row.after_class))
    gone = run(folder, sure, "none.gpkg", only=absent, report="none", threshold=0.01)
    assert gone.changed_m2 < 0.1 * result.changed_m2
    every, kept = (
        DetectorSpec(str(sure), precision="float32", only=only).build().change_logits(batch)
        for only in ((), (row.after_class,))
    )
    assert (kept == every).float().mean() > 0.9


def test_evaluate_compares_every_known_pixel_of_both_dates(folder: Path, best: Path) -> None:
    found = evaluate(str(best), folder / "second", split="val")
    assert found.semantic is not None
    assert found.semantic.matrix.sum() == 2 * 2 * 64 * 64
    changed = sum(each["pixels"] for each in found.semantic.by_class(SECOND).values())
    assert changed == 2 * (found.counts.tp + found.counts.fn) > 0
    told = found.to_json()
    assert set(told["classes"]) == set(SECOND)
    assert told["figures"]["sek"]["low"] <= told["figures"]["sek"]["value"]
    assert "fscd" in found.chips[0].row()


def test_an_exported_network_tells_the_same_classes(folder: Path, sure: Path) -> None:
    target = folder / "exported.onnx"
    export_network(str(sure), target, ExportOptions(tile=64))
    other, batch = OnnxNetwork(describe(target)), batch_of(folder)
    assert other.land_classes == SECOND
    assert other.class_colours["water"] == "#0000ff"
    own = DetectorSpec(str(sure), precision="float32").build()
    change, land = own.change_and_land(batch)
    torch.testing.assert_close(other.change_logits(batch), change, atol=2e-3, rtol=0)
    assert (other.land(batch) == land).float().mean() > 0.999


def test_masks_of_change_do_not_unteach_the_classes(folder: Path, best: Path) -> None:
    chips = make_chips(folder / "masks", {"train": 2, "val": 1}, 32)
    options = options_of(
        "finetune.yaml",
        data__root=str(chips),
        network__start=str(best),
        optim__steps=1,
        optim__warmup_steps=0,
        validation__every=1,
    )
    tuned = read_checkpoint(train(options, folder / "tuned").best)
    began = read_checkpoint(best)
    assert tuned.card.colours == began.card.colours
    same = {name: torch.equal(x, began.tensors[name]) for name, x in tuned.tensors.items()}
    assert all(kept for name, kept in same.items() if name.startswith(("backbone.", "land_head.")))
    assert not same["decode_head.conv_seg.weight"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"network__variant": "tiny"}, "set network.variant lite"),
        ({"network__start": "scenes"}, "take imagenet, or changeclip-small"),
        ({"data__bands": "1,2,3,4"}, "need RGB; choose another"),
        ({"data__root": "masks"}, "no classes, which network.heads semantic needs"),
    ],
)
def test_what_semantic_heads_cannot_do_is_refused_in_one_line(
    folder: Path, settings: dict[str, Any], told: str
) -> None:
    make_chips(folder / "masks", {"train": 2, "val": 1}, 32)
    root = folder / settings.pop("data__root", "second")
    given = {"network__start": None, "data__root": str(root), **settings}
    with pytest.raises((InputError, OptionError)) as refused:
        train(options_of("semantic.yaml", **given), folder / "refused")
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (folder / "refused").exists()


def test_a_figure_of_classes_needs_semantic_heads() -> None:
    with pytest.raises(GeochangeError, match=r"validation\.best sek is of classes"):
        options_of("smoke.yaml", validation__best="sek")
