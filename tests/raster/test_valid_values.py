from __future__ import annotations

import numpy as np
import pytest

from geochange.raster.valid_pixels import valid_values


@pytest.mark.parametrize("holes", [True, False])
@pytest.mark.parametrize("band", [slice(None), 1])
def test_they_are_those_that_numpy_picks(holes: bool, band: slice | int) -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)[..., band]
    valid = np.ones((4, 5), np.bool_)
    valid[1, 2:] = not holes
    np.testing.assert_array_equal(valid_values(pixels, valid), pixels[valid])
