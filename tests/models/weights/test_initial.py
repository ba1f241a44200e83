from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from changeclip_cases import CLIP_SHAPE, SMALL

from geochange.errors import InputError
from geochange.models.changeclip.image_tower import VitOptions
from geochange.models.changeclip.layers import resize_grid
from geochange.models.changeclip.network import ChangeClipOptions
from geochange.models.weights.initial import start_from_clip
from geochange.models.weights.openclip import build_clip

pytestmark = pytest.mark.slow

VIT = replace(
    SMALL["vit"],
    visual=VitOptions(layers=2, width=64, heads=1, grid=16, embed=32, taps=(1, 1, 2, 2)),
)
RESNET_SHAPE = replace(
    CLIP_SHAPE,
    vision={"layers": (1, 2, 1, 1), "width": 4, "head_width": 64, "image_size": 96},
)
RESNET = replace(SMALL["resnet"], visual=replace(SMALL["resnet"].visual, grid=16))


@pytest.mark.parametrize(
    ("options", "shape", "grid"),
    [
        (VIT, CLIP_SHAPE, "backbone.positional_embedding"),
        (RESNET, RESNET_SHAPE, "backbone.attnpool.positional_embedding"),
    ],
)
def test_both_towers_start_from_clip(options: ChangeClipOptions, shape: object, grid: str) -> None:
    torch.manual_seed(0)
    clip = build_clip(shape, quickgelu=True).state_dict()  # type: ignore[arg-type]  # a ClipShape
    started = start_from_clip(options, clip).state_dict()
    positions = clip["visual." + grid.removeprefix("backbone.")]
    torch.testing.assert_close(started[grid], resize_grid(positions, 16, 16))
    assert started[grid].shape[0] == 257
    for name, value in clip.items():
        ours = name.replace("visual.", "backbone.", 1)
        ours = ours if ours.startswith("backbone.") else f"text_encoder.{name}"
        if ours != grid and name != "logit_scale":
            assert torch.equal(started[ours], value)


def test_what_clip_lacks_starts_as_published() -> None:
    torch.manual_seed(0)
    started = start_from_clip(VIT, build_clip(CLIP_SHAPE, quickgelu=True).state_dict())
    assert torch.equal(started.gamma, torch.full((32,), 1e-4))
    contexts = started.contexts2
    assert contexts.abs().max() <= 2.0
    assert 0.8 < contexts.std() < 0.95  # a normal of deviation 1 cut at 2 has 0.88
    assert not started.options.visual.double_class_token


def test_a_clip_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="does not fit the network's towers"):
        start_from_clip(SMALL["vit"], build_clip(CLIP_SHAPE, quickgelu=True).state_dict())
