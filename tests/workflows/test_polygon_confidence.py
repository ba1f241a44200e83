"""Runs of a calibrated model: what is surer of being nothing is left out, here and by polygonize."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from affine import Affine
from changeclip_cases import SMALL_LITE, SMALL_RESNET
from makers import make_raster

from geochange import detect, polygonize
from geochange.config import RunOptions
from geochange.errors import OptionError
from geochange.models.changeclip.land_cover_network import LandNetworkOptions, land_tensors
from geochange.models.changeclip.network import ChangeClip
from geochange.models.confidence import FEATURES, ConfidenceRule
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card
from geochange.running.plan.plan_run import plan_run
from geochange.workflows.preflight import check_run

pytestmark = pytest.mark.slow

NEAR = (-np.log(40.0), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)  # odds of a polygon: its pixels / 40
FAR = (0.0,) * len(FEATURES)
ONLY = (0.5, 0.25, *(0.0,) * (len(FAR) - 2))
OPTIONS = {"tile": 64, "overlap": 16, "precision": "float32", "min_area": 0, "report": "none"}
OPTIONS |= {"stretch": "none", "threads": 1, "skip_checks": True}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(6)
    small, lite = ChangeClip(SMALL_RESNET), ChangeClip(SMALL_LITE)
    small.decode_head.conv_seg.weight.data *= 40
    assert SMALL_LITE.land is not None
    land = LandNetworkOptions(SMALL_LITE.visual, SMALL_LITE.land)  # type: ignore[arg-type]
    rule = ConfidenceRule(NEAR, FAR, ONLY)
    card = Card(SMALL_RESNET, prompts="fixed", threshold=0.7, land=land, confidence=rule)
    file = tmp_path_factory.mktemp("model") / "model.safetensors"
    write_checkpoint(
        file, Checkpoint(card, small.state_dict(), land=land_tensors(lite.state_dict()))
    )
    return str(file)


def make_pair(folder: Path, pixel_m: float) -> tuple[Path, Path]:
    rng = np.random.default_rng(3)
    dates = rng.integers(0, 256, (2, 12, 12, 3)).repeat(8, axis=1).repeat(8, axis=2)
    transform = Affine(pixel_m, 0, 500_000, 0, -pixel_m, 5_000_000)
    return tuple(  # type: ignore[return-value]
        make_raster(folder / f"{name}.tif", date.astype(np.uint8), transform=transform)
        for name, date in zip(("before", "after"), dates, strict=True)
    )


def table(path: Path) -> pd.DataFrame:
    from geochange.vector.files.writers import read_changes

    return pd.DataFrame(read_changes(path).drop(columns="geometry"))


def test_a_run_and_polygonize_leave_out_what_is_surely_nothing(model: str, tmp_path: Path) -> None:
    pair = make_pair(tmp_path, 0.5)
    every = detect(*pair, tmp_path / "a.gpkg", model=model, min_confidence=0, **OPTIONS)
    usual = detect(*pair, tmp_path / "b.gpkg", model=model, block=1, **OPTIONS)
    all_of_them, likely = table(every.out), table(usual.out)
    sure = all_of_them["confidence"] >= 0.5
    assert 0 < sure.sum() < len(sure)
    expected = all_of_them[sure].assign(id=np.arange(1, sure.sum() + 1)).reset_index(drop=True)
    pd.testing.assert_frame_equal(likely, expected, check_exact=True)
    named = ["before_class", "after_class", "change", "before_score", "after_score"]
    for ran, least, whole in ((usual, None, likely), (usual, 0.0, all_of_them)):
        options = {"min_confidence": least, "min_area": 0}
        again = polygonize(ran.raster, tmp_path / "again.gpkg", **options)
        pd.testing.assert_frame_equal(
            table(again.out).drop(columns=named), whole.drop(columns=named), check_exact=True
        )
    alone = tmp_path / "alone.tif"
    alone.write_bytes(usual.raster.read_bytes())
    with pytest.raises(OptionError, match="no polygons of a run with a calibrated model"):
        polygonize(alone, min_confidence=0.5)


@pytest.mark.parametrize(("pixel_m", "near"), [(0.5, True), (10.0, False)])
def test_the_size_of_pixels_decides(model: str, tmp_path: Path, pixel_m: float, near: bool) -> None:
    pair = make_pair(tmp_path, pixel_m)

    def planned(**more: object) -> tuple[tuple[float, ...], float]:
        options = RunOptions.parse({"model": model, **OPTIONS, **more})
        work = plan_run(check_run(*pair, tmp_path / "out.gpkg", options))
        return work.confidence.weights, work.confidence.least

    assert planned() == ((NEAR, 0.5) if near else (FAR, 0.0))
    assert planned(only="building") == ((ONLY, 0.0) if near else ((), 0.0))
    assert planned(model="cva") == ((), 0.0)
    with pytest.raises(OptionError, match=r"--min-confidence 0\.3: cva states no confidence"):
        planned(model="cva", min_confidence=0.3)
