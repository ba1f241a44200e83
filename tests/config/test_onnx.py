"""What is said of a network as ONNX: the pixels it learnt from."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from geochange.config.onnx import OnnxOptions


@pytest.mark.parametrize("sizes", [(), (0.5,), (0.3, 1.0), (10.0, 10.0)])
def test_pixels_are_one_size_or_a_range(sizes: tuple[float, ...]) -> None:
    assert OnnxOptions(pixel_m=sizes).pixel_m == sizes


@pytest.mark.parametrize("sizes", [(0.0,), (-1.0, 1.0), (1.0, 0.3), (1.0, float("inf"))])
def test_pixels_of_no_size_are_refused(sizes: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="the smallest and the largest pixel in metres"):
        OnnxOptions(pixel_m=sizes)
