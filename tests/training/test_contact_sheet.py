"""Contact sheets: positions and colours, for chips of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import noise
from PIL import Image

from geochange.chip import Chip
from geochange.errors import OutputError
from geochange.picture_drawing import SKY, VERMILION, YELLOW, fit_text, font
from geochange.training.contact_sheet import (
    COLUMN_TITLES,
    NO_DATA_COLOUR,
    SheetRow,
    draw_sheet,
    panels_of,
    probability_panel,
    write_sheet,
)


def row(height: int = 6, width: int = 8, name: str = "chip") -> SheetRow:
    """Probability of 0.5 or more in the right half; label 1 in the upper half, 255 in a corner."""
    before, after = noise((2, height, width, 3))
    label = np.zeros((height, width), np.uint8)
    label[: height // 2] = 1
    label[0, 0] = 255
    probability = np.full((height, width), 0.2, np.float32)
    probability[:, width // 2 :] = 0.5
    probability[-1, -1] = np.nan
    return SheetRow(Chip(before, after, ~np.isnan(probability), label), probability, name, "note")


def test_the_panels_are_the_pictures_the_label_the_probability_and_the_errors() -> None:
    shown = row()
    before, after, label, probability, errors = panels_of(shown, 0.5)
    np.testing.assert_array_equal(before, shown.chip.before)
    np.testing.assert_array_equal(after, shown.chip.after)
    assert [tuple(label[r, c]) for r, c in ((0, 0), (0, 1), (5, 0))] == [
        NO_DATA_COLOUR,
        (255, 255, 255),
        (0, 0, 0),
    ]
    assert tuple(probability[5, 7]) == NO_DATA_COLOUR
    assert probability[0, 7].sum() > probability[0, 1].sum() > 0
    assert tuple(errors[0, 7]) == SKY  # true positive
    assert tuple(errors[0, 1]) == YELLOW  # false negative
    assert tuple(errors[4, 7]) == VERMILION  # false positive
    assert tuple(errors[0, 0]) == tuple(errors[5, 7]) == NO_DATA_COLOUR
    assert len(set(errors[5, 0].tolist())) == 1  # grey for true negatives


def test_the_threshold_decides_what_is_an_error() -> None:
    *_, strict = panels_of(row(), 0.51)
    *_, lax = panels_of(row(), 0.1)
    assert tuple(strict[0, 7]) == YELLOW and tuple(lax[4, 1]) == VERMILION


def test_brighter_is_more_probable() -> None:
    luminance = probability_panel(np.linspace(0, 1, 200, dtype=np.float32)) @ np.array(
        [0.2126, 0.7152, 0.0722]
    )
    assert (np.diff(luminance) > -1).all() and luminance[-1] > 240 and luminance[0] < 2


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700))
def test_chips_of_any_shape_fit_on_the_sheet(height: int, width: int) -> None:
    small = row(2, 2)
    sheet = draw_sheet([row(height, width), small])
    assert len(COLUMN_TITLES) * 1 < sheet.width <= 5 * 256 + 4 * 8 + 2 * 20
    assert sheet.height <= 2 * (256 + 40) + 150
    assert np.ptp(np.asarray(sheet)) > 0


def test_small_chips_are_enlarged_by_whole_pixels() -> None:
    sheet = np.asarray(draw_sheet([row(64, 64)]))
    shown = row(64, 64).chip.before
    enlarged = shown.repeat(4, axis=0).repeat(4, axis=1)
    assert (sheet[-20 - 256 - 8 : -28, 20 : 20 + 256] == enlarged).all()


@pytest.mark.slow
def test_the_file_is_a_picture_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", [row(), row(name="x" * 500)], threshold=0.3)
    write_sheet(tmp_path / "none.png", [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["none.png", "sheet.png"]
    with Image.open(tmp_path / "sheet.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"sheet\.png cannot be written \(No such file"):
        write_sheet(tmp_path / "none" / "sheet.png", [row()])
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(OutputError, match=r"taken\.png cannot be written"):
        write_sheet(tmp_path / "taken.png", [row()])
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


def test_long_names_lose_their_middle() -> None:
    letters = font(14)
    assert fit_text("short", 200, letters) == "short"
    cut = fit_text("a" * 100 + "b" * 100, 200, letters)
    assert cut.startswith("a") and cut.endswith("b") and letters.getlength(cut) <= 200
    assert fit_text("anything", 1, letters) == ""
    assert fit_text("a\nb\x1b[31m", 200, letters) == "a b [31m"
