from __future__ import annotations

import pytest
import torch

from geochange.models.changeclip.swin import (
    SwinBlock,
    from_windows,
    relative_index,
    shift_mask,
    to_windows,
)


def test_relative_index_is_the_published_formula() -> None:
    index = relative_index(7)
    for one, other in ((0, 0), (0, 48), (48, 0), (10, 23)):
        rows, columns = one // 7 - other // 7, one % 7 - other % 7
        assert index[one, other] == (rows + 6) * 13 + columns + 6


def test_windows_come_back() -> None:
    x = torch.arange(2 * 6 * 9 * 2.0).reshape(2, 6, 9, 2)
    windows = to_windows(x, 3)
    assert windows.shape == (2, 6, 9, 2)
    assert torch.equal(windows[1, 4].reshape(3, 3, 2), x[1, 3:6, 3:6])
    assert torch.equal(from_windows(windows, 3, 6, 9), x)


def test_shift_mask_parts_what_the_shift_joined() -> None:
    mask = shift_mask(6, 6, 3, 1)
    assert set(mask.unique().tolist()) == {-100.0, 0.0}
    assert (mask[0] == 0).all()  # the first window holds only neighbours
    last = mask[3].reshape(3, 3, 3, 3)
    assert last[0, 0, 1, 1] == 0
    assert last[0, 0, 2, 0] == -100
    assert last[2, 2, 2, 2] == 0


@pytest.mark.parametrize("shifted", [False, True])
def test_a_block_takes_any_size(shifted: bool) -> None:
    torch.manual_seed(0)
    block = SwinBlock(8, 2, 3, 4, shifted).eval()
    x, text = torch.randn(2, 4, 5, 8), torch.randn(2, 4, 8)
    out = block(x, text)
    assert out.shape == x.shape
    assert not torch.allclose(out, block(x, text.flip(0)))
    torch.testing.assert_close(out[:1], block(x[:1], text[:1]))
