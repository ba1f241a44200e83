from __future__ import annotations

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU

from geochange.models.changeclip.image_tower import ResNetOptions, VitOptions, build_tower
from geochange.models.changeclip.layers import DropPath, resize_grid

pytestmark = pytest.mark.slow

RESNET = ResNetOptions(blocks=(1, 2, 1, 1), width=4, heads=2, grid=2, embed=16)
VIT = VitOptions(layers=4, width=32, heads=2, grid=4, embed=16, taps=(1, 2, 3, 4))


def _picture(height: int = 64, width: int = 64) -> torch.Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_row_0_of_the_dense_pool_is_clips_own_embedding() -> None:
    torch.manual_seed(0)
    clip = open_clip.model.ModifiedResNet((1, 2, 1, 1), 16, 2, image_size=64, width=4).eval()
    tower = build_tower(RESNET).eval()
    assert tower.load_state_dict(clip.state_dict())
    torch.testing.assert_close(
        tower(_picture()).global_embedding, clip(_picture()), atol=1e-5, rtol=0
    )


@torch.no_grad()
def test_the_vit_sees_what_clips_own_sees() -> None:
    torch.manual_seed(0)
    clip = open_clip.model.VisionTransformer(
        64, 16, 32, 4, 2, 4.0, output_dim=16, act_layer=QuickGELU
    ).eval()
    tower = build_tower(VIT).eval()
    missing, unexpected = tower.load_state_dict(clip.state_dict(), strict=False)
    assert unexpected == []
    assert all(name.startswith("fpn") for name in missing)
    torch.testing.assert_close(
        tower(_picture()).global_embedding, clip(_picture()), atol=1e-5, rtol=0
    )


@torch.no_grad()
@pytest.mark.parametrize("options", [RESNET, VIT])
def test_pyramid_and_places(options: ResNetOptions | VitOptions) -> None:
    seen = build_tower(options).eval()(_picture(64, 96))
    assert [tuple(level.shape[1:]) for level in seen.pyramid] == [
        (channels, 64 // stride, 96 // stride)
        for channels, stride in zip(options.channels, (4, 8, 16, 32), strict=True)
    ]
    assert seen.places.shape[2:] == seen.pyramid[options.score_level].shape[2:]
    assert seen.global_embedding.shape == (2, options.embed)


@torch.no_grad()
def test_the_published_class_token_is_counted_twice() -> None:
    torch.manual_seed(0)
    once = build_tower(VIT).eval()
    twice = build_tower(VitOptions(4, 32, 2, 4, 16, (1, 2, 3, 4), double_class_token=True)).eval()
    twice.load_state_dict(once.state_dict())
    assert not torch.allclose(
        once(_picture()).global_embedding, twice(_picture()).global_embedding, atol=1e-4
    )
    once.positional_embedding[0] += once.class_embedding
    torch.testing.assert_close(
        once(_picture()).global_embedding, twice(_picture()).global_embedding, atol=1e-6, rtol=0
    )


def test_positions_resize_as_a_picture_and_leave_the_global_one_alone() -> None:
    ramp = torch.arange(4.0).repeat(4, 1).reshape(16, 1)
    positions = torch.cat([torch.tensor([[7.0]]), ramp])
    assert resize_grid(positions, 4, 4) is positions
    resized = resize_grid(positions, 2, 8)
    assert resized[0] == 7.0
    wide = torch.tensor([0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0])
    torch.testing.assert_close(resized[1:].reshape(2, 8), wide.repeat(2, 1))


def test_drop_path_drops_whole_samples_while_training_alone() -> None:
    torch.manual_seed(0)
    drop, x = DropPath(0.5), torch.ones(64, 3, 2)
    assert drop.eval()(x) is x
    kept = drop.train()(x)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert (kept.flatten(1).std(dim=1) == 0).all()


def test_drop_path_rises_over_the_blocks() -> None:
    rates = [block.ls_1.rate for block in build_tower(VIT).transformer.resblocks]
    torch.testing.assert_close(rates, [0.0, 0.1 / 3, 0.2 / 3, 0.1])
