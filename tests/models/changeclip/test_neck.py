from __future__ import annotations

import torch

from geochange.models.changeclip.neck import FeaturePyramid, Fusion, difference, score_map


def test_difference_runs_from_alike_to_opposite() -> None:
    x = torch.randn(1, 8, 2, 2, generator=torch.Generator().manual_seed(0))
    ends = torch.sigmoid(torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(difference(x, 3 * x), ends[0].expand(1, 1, 2, 2))
    torch.testing.assert_close(difference(x, -x), ends[1].expand(1, 1, 2, 2))
    assert difference(x.bfloat16(), x.bfloat16()).dtype == torch.bfloat16


def test_score_map_is_a_cosine_per_place_and_text() -> None:
    places = torch.tensor([[3.0, 0.0], [0.0, 2.0]]).reshape(1, 2, 1, 2)
    texts = torch.tensor([[[5.0, 0.0], [1.0, 1.0]]])
    scores = score_map(places, texts)
    expected = torch.tensor([[1.0, 0.0], [0.5**0.5, 0.5**0.5]]).reshape(1, 2, 1, 2)
    torch.testing.assert_close(scores, expected)


def test_neck_and_fusion_keep_sizes() -> None:
    maps = [torch.randn(1, c, s, 2 * s) for c, s in ((4, 16), (6, 8), (8, 4), (10, 2))]
    levels = FeaturePyramid([4, 6, 8, 10], 12)(maps)
    assert [level.shape for level in levels] == [(1, 12, s, 2 * s) for s in (16, 8, 4, 2)]
    assert Fusion(12, 5, 4)(levels[0]).shape == (1, 5, 16, 32)


def test_coarse_levels_reach_fine_ones() -> None:
    torch.manual_seed(0)
    neck = FeaturePyramid([2, 2], 2)
    maps = [torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2)]
    before = neck(maps)
    maps[1][0, :, 0, 0] = 1.0
    after = neck(maps)
    assert (after[0][0, :, 0, 0] != before[0][0, :, 0, 0]).any()
    assert torch.equal(after[0][0, :, 3, 3], before[0][0, :, 3, 3])
