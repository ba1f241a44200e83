"""Options are validated once, frozen, and refused with one line that names what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from geochange.config import RunOptions
from geochange.errors import OptionError


def test_defaults_are_those_the_readme_promises() -> None:
    options = RunOptions.parse({})
    assert (options.tile, options.overlap, options.taper, options.block) == (512, 64, "hann", 4)
    assert (options.model, options.grid, options.stretch) == (
        "changeclip-small",
        "before",
        "auto",
    )
    assert (options.simplify, options.threshold, options.min_area) == (0.5, None, None)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"tile": 16}, "--tile 16: input should be greater than or equal to 32"),
        ({"tile": 5000}, "--tile 5000: input should be less than or equal to 4096"),
        ({"tile": "wide"}, "--tile wide: input should be a valid integer"),
        ({"overlap": -1}, "--overlap -1: input should be greater than or equal to 0"),
        ({"block": 0}, "--block 0: input should be greater than or equal to 1"),
        ({"batch": 0}, "--batch 0: input should be greater than or equal to 1"),
        ({"device": "cpu,0"}, "--device cpu,0: several devices must be GPUs"),
        ({"devices": "0,cuda:0"}, "--devices 0,cuda:0: cuda:0 occurs twice"),
        ({"device": "0,,1"}, "--device 0,,1: several devices must be GPUs"),
        ({"threshold": 0}, "--threshold 0: input should be greater than 0"),
        ({"threshold": 1.5}, "--threshold 1.5: input should be less than or equal to 1"),
        ({"threshold": float("nan")}, "--threshold nan: input should be"),
        ({"min_area": -1}, "--min-area -1: input should be greater than or equal to 0"),
        ({"min_area": float("nan")}, "--min-area nan: input should be"),
        ({"simplify": -0.5}, "--simplify -0.5: input should be greater than or equal to 0"),
        ({"workers": -1}, "--workers -1: input should be greater than or equal to 0"),
        ({"threads": 0}, "--threads 0: input should be greater than or equal to 1"),
        ({"tile": 64, "overlap": 57}, "overlap 57 does not fit tile 64; at most 56"),
        ({"tiles": 256}, "no option tiles; there are bands, grid,"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(values: dict[str, Any], line: str) -> None:
    with pytest.raises(OptionError) as caught:
        RunOptions.parse(values)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"tile": 64, "overlap": 56},
        {"tile": 32, "overlap": 0},
        {"threshold": 1.0},
        {"min_area": 0.0},
        {"simplify": 0.0},
        {"workers": 0},
        {"threads": None},
    ],
    ids=str,
)
def test_the_ends_of_a_range_are_taken(values: dict[str, Any]) -> None:
    options = RunOptions.parse(values)
    assert {name: getattr(options, name) for name in values} == values


def test_options_do_not_change_afterwards() -> None:
    options = RunOptions.parse({})
    with pytest.raises(ValidationError, match="frozen"):
        options.tile = 512  # type: ignore[misc]


def test_every_option_says_what_it_is() -> None:
    assert [name for name, field in RunOptions.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("given", "device"),
    [
        ("auto", "auto"),
        ("cpu", "cpu"),
        ("1", "cuda:1"),
        ("cuda", "cuda:0"),
        ("0, 1", "cuda:0,cuda:1"),
        ("cuda:3,cuda,2", "cuda:3,cuda:0,cuda:2"),
        ("mps", "mps"),
    ],
)
@pytest.mark.parametrize("name", ["device", "devices"])
def test_devices_have_their_full_names(name: str, given: str, device: str) -> None:
    assert RunOptions.parse({name: given}).device == device


def test_tiles_are_as_the_model_likes_them_unless_they_are_said() -> None:
    def tiles(**given: object) -> tuple[int, int]:
        options = RunOptions.parse(dict(given))
        return options.tile, options.block

    assert tiles() == tiles(model="changeclip-small") == (512, 4)
    assert tiles(model="cva") == (256, 8)
    assert tiles(tile=256) == tiles(model="changeclip-small", tile=256) == (256, 8)
    assert tiles(block=2) == (512, 2)
