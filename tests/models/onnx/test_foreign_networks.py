"""Networks of other packages, exported by torch.onnx: tiles and rasters equal the package's own answer.

The packages are no dependencies. Where one is not installed, its tests are skipped with its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from makers import make_chip, make_raster, noise, texture
from onnx_files import SAID, Stacked, Then, export, tell
from torch import nn

from geochange.models.inference.predict import run_model
from geochange.models.onnx.describe import describe, outlined
from geochange.models.onnx.network import OnnxNetwork
from geochange.models.onnx.probe import probe
from geochange.workflows.detect import detect

pytestmark = pytest.mark.slow

SIDE = 64
DATES = (torch.rand(1, 2, 3, SIDE, SIDE),)
STACK = (torch.rand(1, 6, SIDE, SIDE),)
TWO = (torch.rand(1, 3, SIDE, SIDE),) * 2


def two_logits(x: torch.Tensor) -> torch.Tensor:
    return x[:, 1] - x[:, 0]


def logit(x: torch.Tensor) -> torch.Tensor:
    return torch.logit(x[:, 0].double(), eps=1e-7).float()


def first(x: torch.Tensor) -> torch.Tensor:
    return x[:, 0]


@dataclass(frozen=True)
class Foreign:
    """A network of a package. make: builds it, of the package. told: its output as logits of change."""

    package: str
    make: Callable[[Any], nn.Module]
    pictures: tuple[torch.Tensor, ...]
    told: Callable[[torch.Tensor], torch.Tensor] = first
    said: dict[str, Any] = field(default_factory=dict)
    fixed: bool = False
    dynamo: bool = False


def change_star(tg: Any) -> nn.Module:
    """Of its three answers, the probability alone."""
    made = tg.ChangeStarFarSeg(backbone="resnet18", classes=3, backbone_pretrained=False)
    return Then(made, lambda answers: answers["change_prob"])


FOREIGN = {
    "torchgeo FCSiamDiff": Foreign(
        "torchgeo.models",
        lambda tg: tg.FCSiamDiff("resnet18", encoder_weights=None, classes=2),
        DATES,
        two_logits,
    ),
    "torchgeo FCSiamConc": Foreign(
        "torchgeo.models",
        lambda tg: tg.FCSiamConc("resnet18", encoder_weights=None, classes=1),
        DATES,
    ),
    "torchgeo ChangeStarFarSeg": Foreign(
        "torchgeo.models", change_star, DATES, logit, {"says": "probability"}, fixed=True
    ),
    "torchgeo ChangeViT": Foreign(
        "torchgeo.models",
        lambda tg: tg.ChangeViT("vit_tiny_patch16_224", img_size=SIDE),
        DATES,
        fixed=True,
    ),
    "torchgeo BTC": Foreign(
        "torchgeo.models", lambda tg: tg.BTC("swin_tiny", classes=1), STACK, dynamo=True
    ),
    "smp Unet": Foreign(
        "segmentation_models_pytorch",
        lambda smp: smp.Unet("resnet18", encoder_weights=None, in_channels=6, classes=1),
        STACK,
    ),
    "smp FPN, both dates": Foreign(
        "segmentation_models_pytorch",
        lambda smp: Stacked(Difference(smp.FPN("resnet18", encoder_weights=None, classes=2))),
        STACK,
        two_logits,
        fixed=True,
    ),
    "cdp Unet": Foreign(
        "change_detection_pytorch",
        lambda cdp: cdp.Unet("resnet18", encoder_weights=None, classes=2, siam_encoder=True),
        TWO,
        two_logits,
    ),
}


class Difference(nn.Module):
    """A segmentation network whose answers to both dates are compared."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        difference: torch.Tensor = self.network(after) - self.network(before)
        return difference


def as_pictures(foreign: Foreign, *dates: np.ndarray[Any, Any]) -> tuple[torch.Tensor, ...]:
    """(height, width, 3) uint8 of both dates as the network takes them, in 0 to 1."""
    before, after = (torch.from_numpy(d).permute(2, 0, 1)[None].float() / 255 for d in dates)
    if len(foreign.pictures) == 2:
        return before, after
    if foreign.pictures[0].ndim == 5:
        return (torch.stack([before, after], dim=1),)
    return (torch.cat([before, after], dim=1),)


@pytest.mark.parametrize("name", FOREIGN)
def test_tiles_and_rasters_equal_the_packages_own_answer(name: str, tmp_path: Path) -> None:
    foreign = FOREIGN[name]
    package = pytest.importorskip(foreign.package, reason=f"{foreign.package} cannot be imported")
    torch.manual_seed(1)
    module = foreign.make(package).eval()
    said = {**SAID, "tile": SIDE, **foreign.said}
    path = tmp_path / "net.onnx"
    if foreign.dynamo:
        pytest.importorskip("onnxscript", reason="onnxscript cannot be imported")
        torch.onnx.export(module, foreign.pictures, path, dynamo=True, external_data=False)
        tell(path, said)
    else:
        export(module, path, foreign.pictures, said, fixed=foreign.fixed)

    def own(*dates: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with torch.no_grad():
            return np.asarray(foreign.told(module(*as_pictures(foreign, *dates)))[0])

    dates = noise((SIDE, SIDE, 3), 1), noise((SIDE, SIDE, 3), 2)
    found = run_model(OnnxNetwork(describe(path)), [make_chip(*dates)], 1, "cpu").logits[0]
    np.testing.assert_allclose(found, own(*dates), atol=1e-4, rtol=0)
    assert found.std() > 1e-3

    before = texture(2 * SIDE).clip(0, 255).astype(np.uint8)
    pair = before, before[::-1].copy()
    files = [make_raster(tmp_path / f"{i}.tif", date) for i, date in enumerate(pair)]
    options = {"overlap": 0, "taper": "flat", "report": "none", "skip_checks": True}
    done = detect(*files, tmp_path / "out.gpkg", model=str(path), device="cpu", **options)
    with rasterio.open(done.raster) as raster:
        told = raster.read(1)
    for row in (0, SIDE):
        for col in (0, SIDE):
            place = slice(row, row + SIDE), slice(col, col + SIDE)
            expected = 254 / (1 + np.exp(-own(*(np.ascontiguousarray(d[place]) for d in pair))))
            assert np.abs(told[place] - expected).max() <= 1.0


def test_what_nobody_says_of_a_foreign_network_is_guessed(tmp_path: Path) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch", reason="smp cannot be imported")
    module = smp.Unet("resnet18", encoder_weights=None, in_channels=6, classes=1)
    found = probe(outlined(export(module, tmp_path / "net.onnx", STACK)))
    assert (found.options.says, found.options.scale, found.known.bands) == ("logits", 255, 3)
