"""The reliability diagram: the height of a bar is the observed frequency."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geochange.errors import OutputError
from geochange.picture_drawing import BLUE, SKY
from geochange.training.metrics.calibration import LogitHistogram, Reliability
from geochange.training.metrics.reliability_plots import draw_reliability, write_reliability

BINS = 10
LEFT, RIGHT, TOP, BOTTOM = 84, 532, 82, 440


def diagram(pixels: list[int], observed: list[float]) -> np.ndarray:
    stated = np.where(np.array(pixels) > 0, (np.arange(BINS) + 0.5) / BINS, np.nan)
    return np.asarray(
        draw_reliability(Reliability(np.array(pixels), stated, np.array(observed, float)))
    )


def bar(picture: np.ndarray, number: int, colour: tuple[int, int, int], shift: float) -> int:
    """The number of pixels of a colour in the column of a bin."""
    x = round(LEFT + (number + shift) / BINS * (RIGHT - LEFT))
    return int((picture[:, x] == colour).all(axis=1).sum())


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_bars_are_as_high_as_what_was_observed(share: float) -> None:
    picture = diagram([100] * BINS, [share] * BINS)
    column = picture[TOP:BOTTOM, round(LEFT + 1.8 / BINS * (RIGHT - LEFT))]
    top = np.flatnonzero((column == SKY).all(axis=1))[0]
    assert BOTTOM - TOP - top == pytest.approx(share * (BOTTOM - TOP), abs=3)


def test_a_bin_without_pixels_has_no_bar() -> None:
    picture = diagram([0] + [1000] * (BINS - 1), [np.nan] + [0.5] * (BINS - 1))
    assert bar(picture, 0, SKY, 0.8) == bar(picture, 0, BLUE, 0.8) == 0
    assert bar(picture, 1, BLUE, 0.8) > 100


def test_ten_times_as_many_pixels_are_one_step_higher() -> None:
    picture = diagram([10, 100, 1000, 10_000] + [1] * 6, [0.5] * BINS)
    heights = [bar(picture, number, BLUE, 0.8) for number in range(4)]
    assert np.diff(heights) == pytest.approx([33] * 3, abs=2)


@pytest.mark.slow
def test_the_file_is_a_picture_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_reliability(tmp_path / "empty.png", LogitHistogram().reliability())
    with Image.open(tmp_path / "empty.png") as picture:
        assert picture.format == "PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["empty.png"]
    with pytest.raises(OutputError, match="cannot be written"):
        write_reliability(tmp_path / "none" / "a.png", LogitHistogram().reliability())
