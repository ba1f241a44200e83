"""The catalogue of models: one source of figures for command, README and card; warnings by pixel size."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from geochange.config import RunOptions
from geochange.config.onnx import OnnxOptions
from geochange.config.run import RADAR_MODELS
from geochange.models import BUILTIN, catalogue, kind_of, wanted_bands
from geochange.models.catalogue import DEFAULT, KNOWN, ModelScope, is_near, range_text, scope_of
from geochange.models.weights.locate import SHIPPED

ROOT = Path(__file__).parents[2]


def plain(share: float) -> str:
    return f"{share:.3f}".removeprefix("0")


def test_every_model_that_comes_along_is_listed_the_default_first() -> None:
    # What is measured are pictures of light; models of radar see none.
    assert set(KNOWN) == {*SHIPPED, *BUILTIN} - set(RADAR_MODELS)
    assert next(iter(KNOWN)) == DEFAULT == RunOptions.model_fields["model"].default
    for name, model in KNOWN.items():
        wanted = wanted_bands(name)
        assert len(model.bands) == (wanted or 0), name
        assert bool(model.pixels_m) == (kind_of(name) == "weights")


@pytest.mark.parametrize("name", KNOWN)
def test_the_readme_has_the_same_figures(name: str) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `{name}`.*$", readme, flags=re.MULTILINE)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    figures = KNOWN[name].figures
    assert cells[2:5] == [plain(value) for value in figures.f1.values()]
    assert cells[5:7] == [f"{100 * figures.false_alarms:g} %", f"{figures.mpx_per_s:g}"]
    (head,) = re.findall(r"^\| `--model`.*$", readme, flags=re.MULTILINE)
    assert [cell.strip() for cell in head.split("|")][3:6] == list(figures.f1)


def test_the_card_has_the_same_figures() -> None:
    card = (SHIPPED[DEFAULT].parent / "MODEL_CARD.md").read_text("utf-8")
    for data_set in KNOWN[DEFAULT].figures.f1:
        row = re.findall(rf"^\| {data_set}\b.*\|$", card, flags=re.MULTILINE)[0]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        told = [cells[1].split()[0], *cells[4:6]]
        assert told == [plain(model.figures.f1[data_set]) for model in KNOWN.values()]
    share = KNOWN[DEFAULT].figures.false_alarms
    assert f"{100 * share:g} % of the pixels are called changed" in card
    low, high = KNOWN[DEFAULT].pixels_m[0]
    assert f"pictures of {low:g} to {high:g} m" in " ".join(card.split())


@pytest.mark.parametrize(
    ("pixel_m", "words"),
    [
        (0.5, None),
        (0.2, None),
        (1.9, None),
        (0.05, "resample both dates to 0.3 m (gdalwarp -tr)"),
        (4, "--model cva and irmad fit any pixel"),
        (10, "its class names are guesses here"),
        (15, "its class names are guesses here"),
        (30, "--model cva and irmad fit any pixel"),
    ],
)
def test_the_default_network_is_warned_of_far_from_its_pixels(
    pixel_m: float, words: str | None
) -> None:
    told = scope_of(DEFAULT).warnings(pixel_m)
    assert len(told) == (words is not None)
    assert not told or (words in told[0] and told[0].startswith(f"pixels of {pixel_m:g} m: "))


def test_models_of_any_pixel_and_those_nobody_described_are_not() -> None:
    for name in ("cva", "irmad", "some.module:Class", "other.pth"):
        assert scope_of(name).warnings(30) == ()
    assert scope_of("cva").adapts and not scope_of("other.pth").adapts


def test_a_network_of_near_pixels_alone_is_warned_of_at_10_m() -> None:
    (told,) = ModelScope("houses.onnx", ((0.3, 1),)).warnings(10)
    assert told.startswith("pixels of 10 m: houses.onnx learnt from 0.3 to 1 m, so most things are")


def test_an_onnx_file_says_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, ranges in (((), ()), ((0.5,), ((0.5, 0.5),)), ((0.3, 1.0), ((0.3, 1.0),))):
        known = SimpleNamespace(options=OnnxOptions(pixel_m=said))
        monkeypatch.setattr(catalogue, "described", lambda name, known=known: known)
        assert scope_of("folder/houses.onnx").pixels_m == ranges
    assert scope_of("folder/houses.onnx").model == "houses.onnx"


def test_near_is_a_factor_of_two() -> None:
    assert is_near(0.15, ((0.3, 1.5),)) and is_near(3, ((0.3, 1.5),))
    assert not is_near(0.149, ((0.3, 1.5),)) and not is_near(3.01, ((0.3, 1.5),))
    assert range_text(((0.3, 1.5), (10, 10))) == "0.3 to 1.5 m and 10 m"
