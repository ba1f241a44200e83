"""Before and during a run: `check_run`, --coregister, --match and --aoi, from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from dated_scenes import ground, shifted_image
from makers import NORTH_UP, UTM, make_raster, noise
from pyproj import CRS

from geochange.cli.main import _exit_code
from geochange.config import RunOptions
from geochange.grid.grid import to_ground
from geochange.grid.tiling import TilePlan, Window
from geochange.raster.warped_raster import WarpedRaster
from geochange.running.plan.active_tiles import ActiveTiles
from geochange.running.plan.plan_run import sample_and_inspect
from geochange.workflows.detect import Result, detect
from geochange.workflows.dry_run import estimate_run
from geochange.workflows.preflight import check_run

pytestmark = pytest.mark.slow

SIZE = 520
PLAN = TilePlan((SIZE, SIZE), 64, 16, 2)
OPTIONS: dict[str, Any] = {
    **{"model": "cva", "tile": 64, "overlap": 16, "block": 2},
    "report": "none",
}


def changed(pixels: np.ndarray) -> np.ndarray:
    pixels = pixels.copy()
    for row, col in ((60, 70), (200, 300), (400, 120), (430, 450)):
        pixels[row : row + 25, col : col + 30] = 250 - pixels[row : row + 25, col : col + 30]
    return pixels


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """before.tif; after.tif, changed in four places; off.tif, shifted by (1.4, -2.3) px."""
    folder = tmp_path_factory.mktemp("scene")
    before = ground(SIZE)
    after = changed(before)
    for name, pixels in (
        ("before", before),
        ("after", after + np.random.default_rng(0).normal(0, 3, after.shape)),
        ("off", shifted_image(after, (1.4, -2.3))),
    ):
        make_raster(folder / f"{name}.tif", np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    return folder


def run(scene: Path, out: Path, after: str = "after.tif", **options: Any) -> Result:
    return detect(scene / "before.tif", scene / after, out, **{**OPTIONS, **options})


def bits(result: Result) -> tuple[bytes, bytes]:
    outlines = b"".join(shapely.to_wkb(np.asarray(result.changes.geometry)))
    return result.raster.read_bytes(), outlines


def record(result: Result) -> dict[str, str]:
    table = gpd.read_file(result.out, layer="geochange_run").set_index("key")["value"]
    return dict(table)


def area_file(path: Path, *shapes: shapely.Geometry, crs: Any = 4326) -> Path:
    placed = [to_ground(shape, NORTH_UP) for shape in shapes]
    gpd.GeoDataFrame(geometry=placed, crs=UTM).to_crs(crs).to_file(path)
    return path


AREAS = (
    shapely.Polygon([(30, 40), (210, 60), (150, 240), (60, 190)]),
    shapely.box(420.3, 410.2, 505.7, 500.1),
)


def test_a_run_warns_of_pixels_that_its_network_does_not_know(
    scene: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = scene / "before.tif", scene / "after.tif"
    for model, warned in (("changeclip-small", True), ("cva", False)):
        options = RunOptions.parse({"model": model, "bands": "1,1,1"})
        _, checks = sample_and_inspect(check_run(*files, tmp_path / "out.gpkg", options))
        assert checks is not None
        assert any("pixels of 10 m: changeclip-small" in line for line in checks.warnings) == warned
    assert "its class names are guesses here" in caplog.text


def test_check_says_what_it_sees(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", str(scene / "before.tif"), str(scene / "off.tif")]
    assert _exit_code([*words, "--json", str(tmp_path / "seen.json")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "--coregister corrects it" in shown
    assert "common ground" in shown
    told = json.loads((tmp_path / "seen.json").read_text())
    assert told["shift_px"] == pytest.approx([1.4, -2.3], abs=0.1)
    assert any("--coregister" in line for line in told["warnings"])
    assert _exit_code([*words, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


REFUSED = {
    "far.tif": "no common ground",
    "gone.tif": "no such file",
    "gone/*.tif": "no file has such a name",
    "item.json": "not a STAC item",
    "after.tif --bands 4": "no band 4",
    "after.tif --aoi far.gpkg": "lies on the common ground",
    "after.tif --aoi line.gpkg": "not a polygon",
    "after.tif --aoi gone.gpkg": "no such file",
}


@pytest.mark.parametrize("words", REFUSED)
@pytest.mark.parametrize("command", ["check", "run"])
def test_what_cannot_work_ends_with_2(
    command: str,
    words: str,
    scene: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "after.tif").symlink_to(scene / "after.tif")
    (tmp_path / "item.json").write_text("[]")
    make_raster(tmp_path / "far.tif", noise((9, 9)), crs=CRS.from_epsg(32615))
    area_file(tmp_path / "far.gpkg", shapely.box(9000, 9000, 9100, 9100))
    area_file(tmp_path / "line.gpkg", shapely.LineString([(5, 5), (90, 90)]))
    monkeypatch.chdir(tmp_path)
    there = sorted(tmp_path.rglob("*"))
    out = ["--out", "x.gpkg", "--model", "cva"] if command == "run" else []
    assert _exit_code([command, str(scene / "before.tif"), *words.split(), *out]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert REFUSED[words] in said.err
    assert sorted(tmp_path.rglob("*")) == there


def test_a_json_that_cannot_be_written_is_refused_first(
    scene: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["check", str(scene / "before.tif"), "gone.tif", "--json"]
    for place in (tmp_path / "nowhere" / "x.json", tmp_path):
        assert _exit_code([*words, str(place)]) == 2
        assert str(place) in capfd.readouterr().err.replace("no folder ", str(place))


def test_a_run_keeps_its_checks_and_says_them(
    scene: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(scene, tmp_path / "x.gpkg", "off.tif")
    told = json.loads(record(result)["checks"])
    assert told["shift_px"] == pytest.approx([1.4, -2.3], abs=0.1)
    assert any("--coregister" in line for line in told["warnings"])
    assert set(told["warnings"]) <= set(caplog.messages)
    assert set(told["dates"]) == {"before", "after"}
    caplog.clear()
    unlooked = run(scene, tmp_path / "x.gpkg", "off.tif", skip_checks=True)
    assert json.loads(record(unlooked)["checks"]) is None
    assert caplog.messages == []
    assert bits(unlooked) == bits(result)


@pytest.mark.usefixtures("forked_workers")
def test_a_pair_that_is_off_is_put_back_the_same_whatever_the_tiling(
    scene: Path, tmp_path: Path
) -> None:
    sharp = run(scene, tmp_path / "x.gpkg").changes.union_all()

    def agreement(result: Result) -> float:
        found = result.changes.union_all()
        return float(found.intersection(sharp).area / found.union(sharp).area)

    left = agreement(run(scene, tmp_path / "x.gpkg", "off.tif"))
    first = run(scene, tmp_path / "x.gpkg", "off.tif", coregister=True, threads=1)
    assert agreement(first) > max(0.85, left + 0.1)
    told = json.loads(record(first)["checks"])
    assert told["coregistered_px"] == pytest.approx([1.4, -2.3], abs=0.1)
    assert np.hypot(told["residual"]["row_px"], told["residual"]["col_px"]) < 0.1
    for way in ({"block": 5}, {"workers": 2}):
        again = run(scene, tmp_path / "x.gpkg", "off.tif", coregister=True, **way)
        assert bits(again) == bits(first), way


def test_a_pair_that_lies_right_is_left_alone(scene: Path, tmp_path: Path) -> None:
    plain = bits(run(scene, tmp_path / "x.gpkg"))
    told = run(scene, tmp_path / "x.gpkg", coregister=True)
    assert bits(told) == plain
    assert json.loads(record(told)["checks"])["coregistered_px"] is None


def test_a_correction_is_part_of_what_a_run_is(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gpkg"
    run(scene, out, "off.tif", keep_work=True)
    assert not run(scene, out, "off.tif", keep_work=True, coregister=True).resumed
    assert run(scene, out, "off.tif", keep_work=True, coregister=True).resumed
    assert not run(
        scene, out, "off.tif", keep_work=True, coregister=True, match="histogram"
    ).resumed


def test_matched_light_is_no_change(scene: Path, tmp_path: Path) -> None:
    with rasterio.open(scene / "after.tif") as raster:
        after = raster.read(1).astype(float)
    dark = np.rint(20 + 140 * (after / 255) ** 1.8).astype(np.uint8)
    make_raster(scene / "dark.tif", dark)
    bright = run(scene, tmp_path / "x.gpkg", threshold=0.5).changes.union_all()

    def agreement(**options: Any) -> float:
        found = run(scene, tmp_path / "x.gpkg", "dark.tif", threshold=0.5, **options)
        outlines = found.changes.union_all()
        return float(outlines.intersection(bright).area / outlines.union(bright).area)

    assert agreement(match="histogram") > max(0.9, agreement())


@pytest.mark.usefixtures("forked_workers")
def test_one_area_one_answer(scene: Path, tmp_path: Path) -> None:
    aoi = str(area_file(tmp_path / "aoi.gpkg", *AREAS, crs=UTM))
    first = run(scene, tmp_path / "x.gpkg", aoi=aoi, threads=1)
    assert first.polygons >= 2
    inside = shapely.union_all([to_ground(area, NORTH_UP) for area in AREAS]).buffer(6)
    assert first.changes.within(inside).all()
    for way in ({"block": 7}, {"block": 1}, {"workers": 2, "block": 3}):
        assert bits(run(scene, tmp_path / "x.gpkg", aoi=aoi, **way)) == bits(first), way
    with rasterio.open(first.raster) as raster:
        probability, placed = raster.read(1), raster.transform
    meant = rasterio.features.geometry_mask(
        [to_ground(area, NORTH_UP) for area in AREAS], probability.shape, placed, invert=True
    )
    assert ((probability != 255) != meant).sum() < 5  # outlines were rounded in the file
    assert probability.shape < (SIZE, SIZE)
    assert not list(tmp_path.glob(".*"))


def test_what_lies_outside_is_never_read_nor_inferred(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aoi = str(area_file(tmp_path / "aoi.gpkg", *AREAS))
    checked = check_run(
        scene / "before.tif",
        scene / "after.tif",
        tmp_path / "x.gpkg",
        RunOptions(**OPTIONS, aoi=aoi),
    )
    scope = ActiveTiles(checked.plan, checked.area)
    tiles = [tile for block in checked.plan.blocks() for tile in scope.tiles_of(block)]
    needed = np.zeros(checked.plan.shape, bool)
    for tile in tiles:
        needed[checked.plan.tile_window(tile).within(checked.plan.full_window)] = True
    assert 0.1 < needed.mean() < 0.5
    read = np.zeros(checked.plan.shape, int)
    plain = WarpedRaster._read

    def watched(self: Any, handle: Any, window: Window, *how: Any) -> Any:
        read[window.within(checked.plan.full_window)] += 1
        return plain(self, handle, window, *how)

    monkeypatch.setattr(WarpedRaster, "_read", watched)
    inferred: list[int] = []
    result = run(
        scene,
        tmp_path / "x.gpkg",
        aoi=aoi,
        skip_checks=True,
        model="cva",
        stretch="0,255",
        progress=lambda stage, done, total: inferred.append(total),
    )
    # The scene sample of the model has windows of 256 px that the area touches.
    assert result.polygons >= 2
    tiled = np.zeros(checked.plan.shape, bool)
    for window in sampled(checked):
        tiled[window.within(checked.plan.full_window)] = True
    assert (read[~needed & ~tiled] == 0).all()
    assert (read[needed] >= 2).all()
    foretold = estimate_run(checked)
    assert foretold.tiles == len(tiles) == scope.counts[0] < checked.plan.tile_count
    assert set(inferred) == {scope.pixels, checked.plan.full_window.pixels}


def sampled(checked: Any) -> list[Window]:
    from geochange.raster.scene.sampling import sample_windows

    return sample_windows(checked.plan.shape, 1, checked.area)


def test_an_area_is_part_of_what_a_run_is(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.gpkg"
    one = str(area_file(tmp_path / "one.gpkg", AREAS[0]))
    two = str(area_file(tmp_path / "two.gpkg", AREAS[0].buffer(-1)))
    run(scene, out, aoi=one, keep_work=True)
    assert run(scene, out, aoi=one, keep_work=True).resumed
    assert not run(scene, out, aoi=two, keep_work=True).resumed


def test_an_area_is_never_overwritten(
    scene: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    aoi = area_file(tmp_path / "x.gpkg", *AREAS)
    was = aoi.read_bytes()
    words = ["run", str(scene / "before.tif"), str(scene / "after.tif"), "--aoi", str(aoi)]
    assert _exit_code([*words, "--out", str(aoi), "--model", "cva"]) == 2
    assert "would overwrite the input" in capfd.readouterr().err
    assert aoi.read_bytes() == was


@pytest.mark.usefixtures("forked_workers")
def test_tiles_bands_and_items_give_the_answer_of_one_file(scene: Path, tmp_path: Path) -> None:
    plain = bits(run(scene, tmp_path / "x.gpkg"))
    with rasterio.open(scene / "after.tif") as raster:
        after = raster.read(1)
    (tmp_path / "tiles").mkdir()
    for row in range(0, SIZE, 130):
        for col in range(0, SIZE, 104):
            corner = NORTH_UP @ NORTH_UP.translation(col, row)
            name = tmp_path / "tiles" / f"{row}_{col}.tif"
            make_raster(name, after[row : row + 130, col : col + 104], transform=corner)
    (tmp_path / "after.tif").write_bytes((scene / "after.tif").read_bytes())
    item = {
        "type": "Feature",
        "properties": {"datetime": "2021-05-06T07:08:09Z"},
        "assets": {"data": {"href": "./after.tif", "type": "image/tiff"}},
    }
    (tmp_path / "item.json").write_text(json.dumps(item))
    for name, workers in (("tiles/*.tif", 0), ("tiles/*.tif", 2), ("item.json", 2)):
        before, after = scene / "before.tif", tmp_path / name
        result = detect(before, after, tmp_path / "x.gpkg", **OPTIONS, workers=workers)
        assert bits(result) == plain, (name, workers)
    assert json.loads(record(result)["checks"])["dates"]["after"] == "2021-05-06T07:08:09"
