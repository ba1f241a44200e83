"""EfficientNet-Lite0 as an image tower: equal to the published package, and to recorded values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from changeclip_cases import value_by_name

from geochange.models.changeclip.efficientnet import (
    STAGES,
    EfficientNetOptions,
    EfficientNetTower,
    SameConv,
)
from geochange.models.weights.imagenet import fill_tower, renamed_tensors

GOLDEN = {
    # map: (mean of its absolute values, its first value), with weights made from names
    "fine": (0.138055, -0.124211),
    "stride 4": (0.184132, 0.038389),
    "stride 32": (0.135224, 0.095921),
    "whole": (0.199679, -0.093889),
}


def named_tower() -> EfficientNetTower:
    tower = EfficientNetTower(EfficientNetOptions(embed=16)).eval()
    made = {
        name: torch.from_numpy(np.asarray(value_by_name(name, tuple(x.shape)), np.float32))
        for name, x in tower.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    tower.load_state_dict(made, strict=False)
    return tower


def picture(height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@torch.no_grad()
def test_activations_are_what_they_were() -> None:
    ramp = torch.linspace(-1, 1, 64 * 96 * 3).reshape(1, 3, 64, 96)
    seen = named_tower()(ramp)
    assert seen.fine is not None
    maps = {
        "fine": seen.fine,
        "stride 4": seen.pyramid[0],
        "stride 32": seen.pyramid[3],
        "whole": seen.global_embedding,
    }
    for name, (size, first) in GOLDEN.items():
        found = (float(maps[name].abs().mean()), float(maps[name].flatten()[0]))
        assert found == pytest.approx((size, first), rel=1e-4, abs=1e-5), name


@torch.no_grad()
def test_pyramid_fine_map_and_places() -> None:
    options = EfficientNetOptions(embed=16)
    seen = EfficientNetTower(options).eval()(picture())
    assert [tuple(level.shape[1:]) for level in seen.pyramid] == [
        (channels, 64 // stride, 96 // stride)
        for channels, stride in zip((24, 40, 112, 320), (4, 8, 16, 32), strict=True)
    ]
    assert seen.fine is not None
    assert seen.fine.shape == (2, 16, 32, 48)
    assert seen.places.shape == (2, 16, 2, 3)
    torch.testing.assert_close(seen.global_embedding, seen.places.mean(dim=(2, 3)))


@torch.no_grad()
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (5, 1), (3, 2), (5, 2)])
def test_padding_is_tensorflows(kernel: int, stride: int) -> None:
    conv = SameConv(1, 1, kernel, stride)
    torch.nn.init.ones_(conv.weight)
    side = 8
    total = max((side // stride - 1) * stride + kernel - side, 0)
    padded = torch.nn.functional.pad(
        torch.ones(1, 1, side, side), (total // 2, total - total // 2) * 2
    )
    expected = torch.nn.functional.conv2d(padded, conv.weight, stride=stride)
    torch.testing.assert_close(conv(torch.ones(1, 1, side, side)), expected)


def test_it_has_as_many_weights_as_published() -> None:
    tower = EfficientNetTower(EfficientNetOptions())
    own = sum(p.numel() for name, p in tower.named_parameters() if not name.startswith("embed"))
    assert own == 2_958_848
    assert sum(stage.blocks for stage in STAGES) == 16


@torch.no_grad()
def test_the_published_package_sees_the_same() -> None:
    published = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="pip install efficientnet-lite-pytorch to compare"
    )
    torch.manual_seed(0)
    theirs = published.EfficientNet.from_name("efficientnet-lite0").eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = EfficientNetTower(EfficientNetOptions()).eval()
    fill_tower(ours, dict(renamed_tensors(theirs.state_dict())))
    pictures = torch.randn(1, 3, 224, 224)
    x = theirs._swish(theirs._bn0(theirs._conv_stem(pictures)))
    for block in theirs._blocks:
        x = block(x)
    torch.testing.assert_close(ours(pictures).pyramid[3], x, atol=1e-5, rtol=0)
