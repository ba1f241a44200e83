"""The collate function: shapes, dtypes and order are right, and pixels are unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import make_chip, noise

from geochange.models.inference.batch import collate


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_chips_are_stacked_band_first_in_their_own_dtype(dtype: str, bands: int) -> None:
    pictures = noise((4, 2, 5, 7, bands), dtype=dtype)
    valid = noise((4, 5, 7)) > 100
    batch = collate(
        [make_chip(*dates, valid=seen) for dates, seen in zip(pictures, valid, strict=True)]
    )
    assert len(batch) == 4
    assert batch.before.shape == batch.after.shape == (4, bands, 5, 7)
    assert batch.before.dtype == batch.after.dtype == getattr(torch, dtype)
    assert batch.valid.dtype == torch.bool
    for i in range(4):
        np.testing.assert_array_equal(batch.before[i].permute(1, 2, 0), pictures[i, 0])
        np.testing.assert_array_equal(batch.after[i].permute(1, 2, 0), pictures[i, 1])
    np.testing.assert_array_equal(batch.valid, valid)


def test_cut_out_chips_need_not_be_contiguous() -> None:
    picture = noise((20, 20, 3))
    batch = collate([make_chip(picture[3:9, ::2], picture[9:3:-1, ::2])])
    np.testing.assert_array_equal(batch.before[0].permute(1, 2, 0), picture[3:9, ::2])
    np.testing.assert_array_equal(batch.after[0].permute(1, 2, 0), picture[9:3:-1, ::2])


def test_a_batch_does_not_share_memory_with_its_chips() -> None:
    picture = noise((4, 4, 1))
    batch = collate([make_chip(picture, picture)])
    picture[:] = 0
    assert batch.before.min() > 0


def test_chips_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="same shape"):
        collate([make_chip(noise((n, 4, 1)), noise((n, 4, 1))) for n in (4, 5)])
