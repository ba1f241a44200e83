"""Whole runs with ChangeCLIP: weights and CLIP from files, class names kept, any blocks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
import zarr
from changeclip_cases import SMALL, small, small_clip
from makers import make_raster, noise
from safetensors.torch import save_file

from geochange.cli.main import _exit_code
from geochange.errors import InputError, OptionError
from geochange.models.prompts import published_vocabulary
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card
from geochange.workflows.detect import detect

pytestmark = pytest.mark.slow

OPTIONS = {"tile": 64, "overlap": 16, "precision": "float32", "report": "none"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of a small network and a small CLIP, and a pair to show them."""
    checkpoint = Checkpoint(Card(SMALL["resnet"], threshold=0.4), small("resnet").state_dict())
    write_checkpoint(tmp_path / "model.safetensors", checkpoint)
    save_file(small_clip().state_dict(), tmp_path / "clip.safetensors")
    make_raster(tmp_path / "before.tif", noise((100, 150, 3)), nodata=0)
    after = noise((100, 150, 3), seed=1)
    after[:20, :30] = 0
    make_raster(tmp_path / "after.tif", after, nodata=0)
    return tmp_path


def test_from_rasters_to_polygons_and_class_scores(folder: Path) -> None:
    model = {
        "model": str(folder / "model.safetensors"),
        "clip": f"ViT-B-16-quickgelu@{folder / 'clip.safetensors'}",
    }
    pair = folder / "before.tif", folder / "after.tif"
    result = detect(*pair, folder / "a.gpkg", **model, **OPTIONS, block=2, keep_work=True)
    with rasterio.open(result.raster) as raster:
        probability = raster.read(1)
    assert (probability[:20, :30] == 255).all()
    assert (probability[20:] < 255).all()
    scores = zarr.open_array(folder / ".a.gpkg.work" / "scores.zarr", mode="r")
    assert tuple(scores.attrs["classes"]) == published_vocabulary()
    kept = np.asarray(scores[:])
    assert kept.shape == (2, 3, 2, 56)
    np.testing.assert_allclose(kept.sum(axis=-1), 1, rtol=1e-5)
    assert not np.allclose(kept[:, :, 0], kept[:, :, 1])

    other = detect(*pair, folder / "b.gpkg", **model, **OPTIONS, block=4, batch=3, threads=1)
    assert other.raster.read_bytes() == result.raster.read_bytes()
    same_names = detect(*pair, folder / "c.gpkg", **model, **OPTIONS, prompts="published")
    assert same_names.raster.read_bytes() != result.raster.read_bytes()


def test_fixed_prompts_need_no_clip_and_the_folder_is_looked_into(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOCHANGE_WEIGHTS", str(folder))
    monkeypatch.chdir(folder)
    words = "run before.tif after.tif --model model.safetensors --prompts fixed --tile 64"
    run = [*words.split(), "--overlap", "16", "--out", "x.gpkg", "--log-json", "--min-area", "0"]
    assert _exit_code(run) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["polygons"] >= 0
    assert (folder / "x.gpkg").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--model nowhere.pth", "no weights at nowhere.pth"),
        ("--model clip.safetensors", "CLIP's weights, not ChangeCLIP's"),
        ("--model model.safetensors --clip nowhere.bin", "no weights at nowhere.bin"),
        ("--model model.safetensors --clip model.safetensors", "not CLIP's"),
        ("--model model.safetensors --vocabulary nowhere.txt", "nowhere.txt"),
        ("--model model.safetensors --prompts some", "choose per-date"),
        ("--model model.safetensors --precision half", "choose auto"),
        ("--model model.safetensors --bands 1", "needs 3"),
    ],
)
def test_refusals(
    words: str,
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    there = sorted(folder.rglob("*"))
    run = f"run before.tif after.tif {words} --out x.gpkg --tile 64 --overlap 16"
    assert _exit_code(run.split()) == 2
    captured = capfd.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1, captured.err
    assert sorted(folder.rglob("*")) == there


def test_without_network_or_file_the_cure_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(entry: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("geochange.models.weights.checkpoint.download", offline)
    model = str(folder / "model.safetensors")
    pair = folder / "before.tif", folder / "after.tif"
    with pytest.raises(InputError, match="--prompts fixed") as refusal:
        detect(*pair, folder / "x.gpkg", model=model, **OPTIONS)
    assert "ViT-B-16.pt" in str(refusal.value)


def test_other_weights_in_the_same_file_are_another_model(folder: Path) -> None:
    pair = folder / "before.tif", folder / "after.tif"
    model = {"model": str(folder / "model.safetensors"), "prompts": "fixed"}
    first = detect(*pair, folder / "x.gpkg", **model, **OPTIONS).raster.read_bytes()
    tensors = dict(small("resnet").state_dict())
    tensors["decode_head.conv_seg.bias"] = torch.tensor([0.0, 5.0])
    assert tensors.keys() == small("resnet").state_dict().keys()
    write_checkpoint(folder / "model.safetensors", Checkpoint(Card(SMALL["resnet"]), tensors))
    assert detect(*pair, folder / "x.gpkg", **model, **OPTIONS).raster.read_bytes() != first


def test_worker_processes_give_the_same_bits(folder: Path) -> None:
    # Fresh processes: a fork has other threads than its variables say, and so other last bits.
    pair = folder / "before.tif", folder / "after.tif"
    model = {"model": str(folder / "model.safetensors"), "prompts": "fixed"}
    alone = detect(*pair, folder / "x.gpkg", **model, **OPTIONS).raster.read_bytes()
    two = detect(*pair, folder / "x.gpkg", **model, **OPTIONS, workers=2, block=1)
    assert two.raster.read_bytes() == alone


def test_changes_are_named_whatever_the_blocks(folder: Path) -> None:
    model = {
        "model": str(folder / "model.safetensors"),
        "clip": f"ViT-B-16-quickgelu@{folder / 'clip.safetensors'}",
        "threshold": 0.01,
        "min_area": 0,
    }
    pair = folder / "before.tif", folder / "after.tif"
    first = detect(*pair, folder / "a.gpkg", **model, **OPTIONS, block=2).changes
    other = detect(*pair, folder / "b.gpkg", **model, **OPTIONS, block=1, threads=1).changes
    assert len(first) > 0
    vocabulary = set(published_vocabulary())
    assert set(first["before_class"]) | set(first["after_class"]) <= vocabulary
    assert first["before_score"].between(0, 1).all() and first["after_score"].between(0, 1).all()
    pd.testing.assert_frame_equal(pd.DataFrame(first), pd.DataFrame(other), check_exact=True)
    named = str(first["after_class"][0])
    only = detect(*pair, folder / "c.gpkg", **model, **OPTIONS, only=f"{named.upper()},bridge")
    assert (
        0
        < only.polygons
        == int((first[["before_class", "after_class"]].isin([named, "bridge"])).any(axis=1).sum())
    )
    with pytest.raises(OptionError, match="did you mean building"):
        detect(*pair, folder / "d.gpkg", **model, **OPTIONS, only="bulding")
    with pytest.raises(OptionError, match="names no classes"):
        detect(*pair, folder / "d.gpkg", **model, **OPTIONS, only="building", prompts="fixed")
    assert not list(folder.glob(".d.gpkg*")) and not (folder / "d.gpkg").exists()
