"""A preview shows both dates and the changes, wherever the rasters are, or refuses in one line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from click.testing import CliRunner
from makers import make_raster
from numpy.typing import NDArray
from PIL import Image

from geochange import detect
from geochange.cli.main import cli
from geochange.errors import InputError, OptionError, OutputError
from geochange.grid.grid import Grid
from geochange.report.panels import Panel
from geochange.vector.files.change_reader import read_change
from geochange.vector.files.polygon_reader import Layer
from geochange.workflows import preview as drawing
from geochange.workflows.preview import preview

pytestmark = pytest.mark.slow

BLUE, GREEN, WHITE = (40, 60, 200), (40, 150, 40), (250, 250, 250)
PANEL = 300


def make_run(folder: Path, name: str = "changes.gpkg") -> Path:
    """Blue ground before, green after, where a white house of 40 x 40 was built."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    before = np.empty((200, 300, 3), np.uint8)
    before[:] = BLUE
    before += rng.integers(0, 6, before.shape, np.uint8)
    after = np.empty_like(before)
    after[:] = GREEN
    after += rng.integers(0, 6, after.shape, np.uint8)
    after[80:120, 130:170] = WHITE
    pair = make_raster(folder / "before.tif", before), make_raster(folder / "after.tif", after)
    return detect(*pair, folder / name, report="none", min_area=0, model="cva").out


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("preview"))


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def like(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(pixels.astype(int) - colour).max(axis=-1) < 25)


def test_the_panels_show_what_they_say(changes: Path, tmp_path: Path) -> None:
    pixels = pixels_of(preview(changes, tmp_path / "a.png", panel_px=PANEL))
    rows = np.flatnonzero(like(pixels, BLUE).sum(axis=1) > PANEL / 2)
    assert np.ptp(rows) + 1 == PANEL * 200 // 300
    band = pixels[rows[0] : rows[-1] + 1]
    blue, green, white = (np.flatnonzero(like(band, c).any(axis=0)) for c in (BLUE, GREEN, WHITE))
    assert np.ptp(blue) + 1 == PANEL
    assert np.ptp(green) + 1 == PANEL and green[0] > blue[-1]
    third = band[:, green[-1] + 10 :]
    red = (third[..., 0].astype(int) - third[..., 1]) > 60
    ys, xs = np.nonzero(red)
    assert white[0] < green[-1] and len(ys) > 30
    # The house is in the middle.
    assert abs(ys.mean() - 100) < 4
    left = third.shape[1] - np.flatnonzero(~like(third, (255, 255, 255)).all(axis=0))[-1]
    assert abs(third.shape[1] - left - PANEL / 2 - xs.mean()) < 6


@pytest.mark.parametrize(
    ("calibrated", "word"), [(True, "confidence"), (False, "mean probability")]
)
def test_it_says_what_its_colours_mean(
    changes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calibrated: bool, word: str
) -> None:
    told: list[str] = []

    def layout(title: str, subtitle: str, panels: list[Panel], *rest: Any) -> Image.Image:
        told.extend((subtitle, panels[2].note))
        return Image.new("RGB", (8, 8))

    def read(layer: Layer, number: int, grid: Grid) -> gpd.GeoDataFrame:
        found = read_change(layer, number, grid)
        return found.assign(confidence=0.61) if calibrated else found

    monkeypatch.setattr(drawing, "side_by_side", layout)
    monkeypatch.setattr(drawing, "read_change", read)
    monkeypatch.setattr(
        drawing, "read_change_batches", lambda *which: [read(which[0], 1, which[1])]
    )
    preview(changes, tmp_path / "a.png", number=1, panel_px=PANEL)
    subtitle, note = told
    assert note.startswith(f"by {word}")
    assert f", {word} " in subtitle and ("61.0 %" in subtitle) == calibrated


def test_it_lies_beside_and_takes_its_place_again(tmp_path: Path) -> None:
    changes = make_run(tmp_path)
    first = preview(changes)
    assert first == tmp_path / "changes.png"
    assert preview(changes, panel_px=200) == first
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"before.tif", "after.tif", "changes.gpkg", "changes.tif", "changes.png"}


def test_one_change_is_looked_at_closely(changes: Path, tmp_path: Path) -> None:
    table = gpd.read_file(changes, layer="changes")
    number = int(table.loc[table["area_m2"].idxmax(), "id"])
    far = pixels_of(preview(changes, tmp_path / "far.png", panel_px=PANEL))
    near = pixels_of(preview(changes, tmp_path / "near.png", number=number, panel_px=PANEL))
    assert like(near, WHITE)[60:].sum() > 0
    assert like(near, GREEN).sum() > 0
    house = near[near.shape[0] // 2, near.shape[1] // 2]
    assert like(house[None], WHITE).all()
    assert far.shape != near.shape


def test_without_an_id_it_is_beside_with_one_it_is_named(tmp_path: Path) -> None:
    changes = make_run(tmp_path)
    assert preview(changes, number=1).name == "changes-1.png"


def test_rasters_that_moved_are_asked_for(tmp_path: Path) -> None:
    changes = make_run(tmp_path)
    moved = (tmp_path / "before.tif").rename(tmp_path / "elsewhere.tif")
    with pytest.raises(InputError, match=r"before\.tif is no longer there; .*--before FILE"):
        preview(changes)
    assert not (tmp_path / "changes.png").exists()
    assert preview(changes, rasters=(moved, None)).exists()


def test_a_file_without_a_record_needs_both(tmp_path: Path) -> None:
    changes = make_run(tmp_path)
    with closing(sqlite3.connect(changes)) as database:
        database.execute("DELETE FROM geochange_run")
        database.commit()
    with pytest.raises(InputError, match="does not record its rasters"):
        preview(changes)
    pair = tmp_path / "before.tif", tmp_path / "after.tif"
    assert preview(changes, rasters=pair).exists()


@pytest.mark.parametrize("name", ["changes.geojson", "changes.fgb"])
def test_other_formats_are_shown_alike(changes: Path, tmp_path: Path, name: str) -> None:
    other = make_run(tmp_path, name)
    one = pixels_of(preview(changes, tmp_path / "one.png", panel_px=PANEL))
    two = pixels_of(preview(other, tmp_path / "two.png", panel_px=PANEL))
    assert one.shape == two.shape
    below_the_title = slice(100, None)
    gap = np.abs(one[below_the_title].astype(int) - two[below_the_title])
    assert (gap > 12).mean() < 0.002


def test_refusals(changes: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--id 99: .* holds no change with that id"):
        preview(changes, tmp_path / "a.png", number=99)
    with pytest.raises(OptionError, match=r"a\.jpg: the picture is a PNG"):
        preview(changes, tmp_path / "a.jpg")
    (tmp_path / "mine.png").write_bytes(b"\x89PNG my own")
    with pytest.raises(OutputError, match=r"mine\.png: exists and was not written by geochange"):
        preview(changes, tmp_path / "mine.png")
    with pytest.raises(InputError, match="no such file"):
        preview(tmp_path / "gone.gpkg")
    drawn = tmp_path / "drawn.geojson"
    gpd.read_file(changes, layer="changes")[["geometry"]].to_file(drawn)
    pair = changes.parent / "before.tif", changes.parent / "after.tif"
    with pytest.raises(InputError, match="holds no changes of geochange run"):
        preview(drawn, rasters=pair)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.png", "drawn.geojson"}


def test_the_command_names_the_picture(changes: Path, tmp_path: Path) -> None:
    out = tmp_path / "seen.png"
    arguments = ["preview", str(changes), "--out", str(out), "--size", "200", "--id", "1"]
    told = CliRunner().invoke(cli, arguments)
    assert told.exit_code == 0, told.output
    assert str(out) in told.output and out.exists()
