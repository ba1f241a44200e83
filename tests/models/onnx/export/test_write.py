"""Exported files: any batch and size, metadata for two programs, and runs that find the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import rasterio
import torch
from changeclip_cases import SMALL, fill_by_name, pictures, small_clip
from click.testing import CliRunner
from makers import make_raster, texture
from planted_network import write_planted

import geochange
from geochange.cli.main import cli
from geochange.models.changeclip.network import ChangeClip
from geochange.models.detector import DetectorSpec
from geochange.models.inference.batch import Batch
from geochange.models.onnx.describe import describe
from geochange.models.onnx.network import OnnxNetwork
from geochange.models.weights.card import OWN_CLIP, Card
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint

pytestmark = pytest.mark.slow


def export(*words: str | Path) -> str:
    done = CliRunner().invoke(cli, ["weights", "export", *map(str, words)])
    return done.output if done.exception is None else f"refused: {done.exception}"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a ViT: the run below is of a ResNet, at another size than that of the trace."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    network = ChangeClip(SMALL["vit"])
    fill_by_name(network)
    card = Card(SMALL["vit"], clip=OWN_CLIP, threshold=0.4)
    write_checkpoint(path, Checkpoint(card, network.state_dict(), small_clip().state_dict()))
    return path


def test_any_batch_and_size_equals_torch(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.onnx"
    assert "opset 18" in export(checkpoint, target)
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]
    model = OnnxNetwork(describe(target))
    made = DetectorSpec(str(checkpoint), precision="float32").build()
    assert (model.threshold, model.known.options.tile) == (0.4, 256)
    import onnxruntime

    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for batch, height, width in ((1, 64, 64), (3, 96, 160), (2, 224, 32)):
        before, after = pictures(batch, height, width, 1), pictures(batch, height, width, 2)
        whole = Batch(before, after, torch.ones(batch, height, width, dtype=torch.bool))
        feed = {"before": before.float().numpy(), "after": after.float().numpy()}
        expected = made.change_logits(whole).numpy()
        found = session.run(["change"], feed)[0][:, 0]
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
        np.testing.assert_allclose(model.change_logits(whole), expected, atol=1e-4, rtol=0)


def test_a_run_of_the_export_finds_what_the_checkpoint_finds(tmp_path: Path) -> None:
    checkpoint = write_planted(tmp_path / "planted.safetensors")
    target = tmp_path / "planted.onnx"
    assert "opset 18" in export(checkpoint, target, "--stacked", "--half", "--tile", "128")
    said = {each.key: each.value for each in onnx.load(target).metadata_props}
    assert json.loads(said["model_type"]) == "Segmentor"
    assert json.loads(said["class_names"]) == {"0": "unchanged", "1": "change"}
    assert json.loads(said["tile_size"]) == 128
    outline = describe(target).outline
    shapes = [port.shape for port in (*outline.inputs, *outline.outputs)]
    assert shapes == [("batch", 6, "side", "side"), ("batch", 1, "side", "side")]
    assert target.stat().st_size < 0.6 * checkpoint.stat().st_size
    before = texture(160).clip(70, 150).astype(np.uint8)
    after = before.copy()
    after[40:80, 40:90] = 200
    pair = [make_raster(tmp_path / f"{i}.tif", date) for i, date in enumerate((before, after))]
    told = []
    for model in (checkpoint, target):
        out = tmp_path / f"{model.suffix[1:]}.gpkg"
        options = {"tile": 64, "overlap": 16, "report": "none", "skip_checks": True}
        found = geochange.detect(*pair, out, model=str(model), device="cpu", **options)
        assert found.polygons == 1
        with rasterio.open(found.raster) as raster:
            told.append(raster.read(1).astype(int))
    assert np.abs(told[0] - told[1]).max() <= 1
    assert told[0].std() > 10


def test_what_cannot_be_written_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    assert "name it out.onnx" in export(checkpoint, tmp_path / "out.pt")
    assert "no folder" in export(checkpoint, tmp_path / "none" / "out.onnx")
    (tmp_path / "out.onnx.yaml").write_text("scale: 1")
    assert "would describe the new network" in export(checkpoint, tmp_path / "out.onnx")
    few = tmp_path / "few.txt"
    few.write_text("road\ntree\n")
    said = export(checkpoint, tmp_path / "new.onnx", "--vocabulary", few)
    assert "each text needs 9" in said
    assert not (tmp_path / "new.onnx").exists()
