"""A network with a land head: change and land cover in one pass, and `only` some classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from changeclip_cases import SMALL_LITE, pictures
from makers import make_raster, noise

from geochange.chip import Chip
from geochange.errors import OptionError
from geochange.land_cover import CLASSES, NO_LAND_CLASS
from geochange.models.changeclip.network import ChangeClip
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import Batch
from geochange.models.inference.predict import run_model
from geochange.models.inference.prediction import land_classes_of
from geochange.models.land_cover_logits import NO_CHANGE_LOGIT, any_class_logit
from geochange.models.protocol import ClassifiesLand
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card
from geochange.workflows.detect import detect

SPEC = DetectorSpec("", precision="float32", prompts="fixed")


def network() -> ChangeClip:
    torch.manual_seed(3)
    made = ChangeClip(SMALL_LITE).eval().requires_grad_(False)
    # Untrained heads give almost nothing.
    made.decode_head.conv_seg.weight *= 40
    assert made.land_head is not None
    made.land_head.classify.weight *= 40
    return made


def detector(spec: DetectorSpec = SPEC) -> ChangeClipDetector:
    return ChangeClipDetector(spec, network(), Card(SMALL_LITE, threshold=0.4))


def batch(height: int = 64, width: int = 64) -> Batch:
    before, after = pictures(2, height, width), pictures(2, height, width, seed=1)
    return Batch(before, after, torch.ones(2, height, width, dtype=torch.bool))


@pytest.mark.slow
def test_one_pass_gives_change_and_land() -> None:
    model = detector()
    assert isinstance(model, ClassifiesLand)
    assert land_classes_of(model) == CLASSES
    logits, land = model.change_and_land(batch(48, 70))
    torch.testing.assert_close(logits, model.change_logits(batch(48, 70)))
    assert land.shape == (2, 2, 48, 70)
    assert land.dtype == torch.uint8
    assert len(land.unique()) > 1


@pytest.mark.slow
@pytest.mark.parametrize("asked", [("building",), ("road", "water"), CLASSES])
def test_only_keeps_what_is_or_was_of_the_class(asked: tuple[str, ...]) -> None:
    every, land = detector().change_and_land(batch())
    only = detector(replace(SPEC, only=asked)).change_logits(batch())
    numbers = torch.tensor([CLASSES.index(name) for name in asked])
    kept = only == every
    # Exactly the pixels with a probability of at least one half for these classes are kept.
    gone = only <= NO_CHANGE_LOGIT
    assert (kept | gone).all()
    if len(asked) == len(CLASSES):
        assert kept.all()
    elif len(asked) == 1:
        assert torch.isin(land, numbers).any(dim=1)[kept & ~gone].all()
        assert kept.any()
        assert gone.any()


def test_the_logit_of_several_classes_is_that_of_their_sum() -> None:
    land = torch.randn(1, 5, 2, 2)
    p = land.softmax(dim=1)[:, [0, 2]].sum(dim=1)
    torch.testing.assert_close(any_class_logit(land, [0, 2]), torch.log(p / (1 - p)))


@pytest.mark.slow
def test_pixels_without_data_are_unseen() -> None:
    valid = np.ones((64, 64), np.bool_)
    valid[:10] = False
    chip = Chip(noise((64, 64, 3)), noise((64, 64, 3), seed=1), valid)
    nothing = Chip(chip.before, chip.after, np.zeros_like(valid))
    said = run_model(detector(), [chip, nothing], 2, "cpu")
    assert said.land.shape == (2, 2, 64, 64)
    assert (said.land[0, :, :10] == NO_LAND_CLASS).all()
    assert (said.land[0, :, 10:] < len(CLASSES)).all()
    assert (said.land[1] == NO_LAND_CLASS).all()


def quarters(seed: int) -> np.ndarray:
    """Four fields, each of one colour."""
    colours = np.random.default_rng(seed).integers(0, 256, (2, 2, 1, 1, 3))
    fields = np.broadcast_to(colours, (2, 2, 50, 75, 3)).transpose(0, 2, 1, 3, 4)
    return fields.reshape(100, 150, 3).astype(np.uint8)


@pytest.mark.slow
def test_polygons_are_named_by_their_own_pixels_whatever_the_blocks(tmp_path: Path) -> None:
    model = str(tmp_path / "model.safetensors")
    write_checkpoint(
        model, Checkpoint(Card(SMALL_LITE, threshold=0.4, prompts="fixed"), network().state_dict())
    )
    make_raster(tmp_path / "before.tif", quarters(0))
    make_raster(tmp_path / "after.tif", quarters(1))
    pair = tmp_path / "before.tif", tmp_path / "after.tif"
    options = {"model": model, "tile": 64, "overlap": 16, "precision": "float32", "min_area": 0}
    options |= {"threshold": 0.05, "stretch": "none"}
    one = detect(*pair, tmp_path / "a.gpkg", **options, block=2).changes
    other = detect(*pair, tmp_path / "b.gpkg", **options, block=1, batch=1, threads=1).changes
    pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other), check_exact=True)
    said = set(one["before_class"].dropna()) | set(one["after_class"].dropna())
    assert said
    assert said <= set(CLASSES)
    rare = sorted(set(CLASSES) - said)[0]
    some = detect(*pair, tmp_path / "c.gpkg", **options, only=rare)
    assert some.changed_m2 < one["area_m2"].sum()
    with pytest.raises(OptionError, match="it has building, road"):
        detect(*pair, tmp_path / "d.gpkg", **options, only="zebra")
