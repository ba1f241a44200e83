"""Whole runs of networks in ONNX files: one answer, that of a plain loop, and names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from makers import make_raster, texture
from onnx_files import SAID, Siamese, Then, export

from geochange.config import RunOptions
from geochange.errors import InputError, OptionError
from geochange.workflows.detect import Result, detect
from geochange.workflows.dry_run import estimate_run
from geochange.workflows.preflight import check_run

pytestmark = pytest.mark.slow

SIZE, TILE = 192, 64
NAMES = ["", "field", "house", "road", "pond", "wood", "rock"]


class Spots(torch.nn.Module):
    """Classes at each date by brightness; change where the red band differs."""

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> tuple[torch.Tensor, ...]:
        change = 20 * (before - after).abs()[:, :1] - 4
        levels = torch.linspace(0, 1, len(NAMES))[:, None, None]
        return change, *(-((date[:, :1] - levels).abs()) for date in (before, after))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    before = texture(SIZE).clip(0, 255).astype(np.uint8)
    after = before.copy()
    before[50:90, 40:80], after[50:90, 40:80] = 85, 212  # from house to wood
    make_raster(folder / "before.tif", before)
    make_raster(folder / "after.tif", after)
    export(Spots(), folder / "spots.onnx", outputs=("change", "one", "two"))
    lines = ["scale: 255", "says: logits", "before: one", "after: two", f"classes: {NAMES}"]
    (folder / "spots.onnx.yaml").write_text("\n".join([*lines, f"tile: {TILE}"]))
    return folder


def run(pair: Path, out: Path, model: str = "spots.onnx", **options: Any) -> Result:
    given = {"device": "cpu", "report": "none", "skip_checks": True, **options}
    return detect(pair / "before.tif", pair / "after.tif", out, model=str(pair / model), **given)


def digest(result: Result) -> str:
    changes = result.changes.drop(columns="geometry").to_csv()
    return hashlib.sha256(result.raster.read_bytes() + changes.encode()).hexdigest()


@pytest.mark.usefixtures("forked_workers")
def test_one_answer_with_names_whatever_the_work(pair: Path, tmp_path: Path) -> None:
    first = run(pair, tmp_path / "a.gpkg")
    others = [
        run(pair, tmp_path / "b.gpkg", block=1, batch=1, threads=3),
        run(pair, tmp_path / "c.gpkg", block=2, workers=1),
    ]
    assert {digest(each) for each in others} == {digest(first)}
    [change] = first.changes.itertuples()
    assert (change.before_class, change.after_class) == ("house", "wood")
    assert change.change == "house -> wood"
    assert change.area_m2 == pytest.approx(1600 * 100, rel=0.01)
    one = run(pair, tmp_path / "d.gpkg", only="wood")
    assert len(one.changes) == 1
    assert len(run(pair, tmp_path / "e.gpkg", only="road").changes) == 0


def test_a_raster_is_that_of_a_plain_loop(pair: Path, tmp_path: Path) -> None:
    fine = Then(Siamese(2, fraction=2), lambda x: x)
    export(fine, pair / "fine.onnx", said={**SAID, "tile": TILE})
    found = run(pair, tmp_path / "a.gpkg", "fine.onnx", overlap=0, taper="flat")
    dates = []
    for name in ("before", "after"):
        with rasterio.open(pair / f"{name}.tif") as raster:
            dates.append(torch.from_numpy(raster.read())[None].float() / 255)
    expected = np.empty((SIZE, SIZE), np.float32)
    for row in range(0, SIZE, TILE):
        for col in range(0, SIZE, TILE):
            place = slice(row, row + TILE), slice(col, col + TILE)
            with torch.no_grad():
                two = fine(*(date[..., *place] for date in dates))
            one = torch.nn.functional.interpolate(two, scale_factor=2, mode="bilinear")[0]
            expected[place] = torch.sigmoid(one[1] - one[0])
    with rasterio.open(found.raster) as raster:
        told = raster.read(1)
    assert np.abs(told - expected * 254).max() <= 1.0
    assert told.std() > 1


def test_what_a_network_asks_for_is_taken_unless_the_user_says_otherwise(
    pair: Path, tmp_path: Path
) -> None:
    def options(**given: Any) -> RunOptions:
        parsed = RunOptions.parse({"model": str(pair / "asks.onnx"), **given})
        files = pair / "before.tif", pair / "after.tif", tmp_path / "a.gpkg"
        return check_run(*files, parsed).options

    export(Siamese(), pair / "asks.onnx", said={**SAID, "tile": 32, "pixels": "raw"})
    asked = options()
    assert (asked.tile, asked.overlap, asked.block, asked.stretch) == (32, 8, 8, "none")
    assert options(tile=64, overlap=0).overlap == 0
    with pytest.raises(OptionError, match=r"--stretch joint: .* leave --stretch out"):
        options(stretch="joint")
    export(Siamese(), pair / "asks.onnx")
    with pytest.raises(InputError, match="nobody says scale, says; geochange weights show"):
        options()


def test_a_dry_run_counts_the_network_and_too_little_memory_is_refused(
    pair: Path, tmp_path: Path
) -> None:
    files = pair / "before.tif", pair / "after.tif", tmp_path / "a.gpkg"
    options = {"model": str(pair / "spots.onnx"), "device": "cpu", "skip_checks": True}
    told = estimate_run(check_run(*files, RunOptions.parse(options)))
    assert told.tiles == 16 and told.memory_bytes > 0
    with pytest.raises(OptionError, match="--max-memory"):
        estimate_run(check_run(*files, RunOptions.parse({**options, "max_memory": 0.0001})))
    assert list(tmp_path.iterdir()) == []
