"""A widened convolution answers to grey as before, and keeps the filters of red, green and blue."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geochange.models.bands.first_convolution import set_inputs, widen


@pytest.mark.parametrize(
    ("count", "rgb"),
    [(1, ()), (2, ()), (3, ()), (3, (2, 1, 0)), (5, ()), (5, (0, 3, 4)), (13, (3, 2, 1))],
)
def test_the_sum_of_responses_is_kept(count: int, rgb: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    old = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    new = nn.Conv2d(count, 8, 3, padding=1, bias=False)
    new.weight = nn.Parameter(widen(old.weight.detach(), count, rgb))
    grey = torch.rand(2, 1, 9, 9)
    torch.testing.assert_close(
        new(grey.expand(-1, count, -1, -1)), old(grey.expand(-1, 3, -1, -1)), atol=1e-6, rtol=1e-5
    )


def test_colours_keep_their_filters_and_others_take_the_mean() -> None:
    weight = torch.rand(4, 3, 7, 7)
    wide = widen(weight, 6, (3, 2, 1)) * 2
    for band, place in enumerate((3, 2, 1)):
        torch.testing.assert_close(wide[:, place], weight[:, band])
    for place in (0, 4, 5):
        torch.testing.assert_close(wide[:, place], weight.mean(dim=1))
    torch.testing.assert_close(widen(weight, 3, (0, 1, 2)), weight)


def test_a_convolution_takes_other_inputs_in_place() -> None:
    convolution = nn.Conv2d(3, 8, (5, 3), stride=2, bias=False)
    untouched = convolution.weight
    set_inputs(convolution, 3)
    assert convolution.weight is untouched
    set_inputs(convolution, 7)
    assert convolution(torch.rand(1, 7, 11, 11)).shape == (1, 8, 4, 5)
