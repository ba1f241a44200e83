"""pipelines/monitor.py: from dated rasters to dated changes; each pair runs once."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from makers import NORTH_UP, make_raster, noise, texture
from pipeline_runs import pipeline, pipeline_forked
from polygon_files import make_polygons, square
from range_server import serve_folder
from stac_api import item, serving

pytestmark = pytest.mark.slow

DAYS = ("2021-05-01", "2022-05-03", "2023-05-02")


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Three dates; a square changes at each of the last two."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    pixels = texture(128).clip(0, 255).astype(np.uint8)
    for number, day in enumerate(DAYS):
        if number:
            pixels = pixels.copy()
            pixels[40 * number : 40 * number + 24, 30:60] = 250 * (number % 2)
        make_raster(folder / f"place_{day.replace('-', '')}.tif", pixels)
    return folder


def rows(out: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(out / "changes.gpkg", layer="changes")


def spans(out: Path) -> set[tuple[str, str]]:
    table = rows(out)
    return {(str(a)[:10], str(b)[:10]) for a, b in zip(table.date_from, table.date_to, strict=True)}


def test_each_pair_is_run_once_and_says_its_dates(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "watch"
    words = [str(scenes), "--out", str(out), "--set", "tile=96", "--set", "model=cva"]
    done = pipeline_forked("monitor", *words)
    assert done.returncode == 0, done.stderr
    assert spans(out) == {(DAYS[0], DAYS[1]), (DAYS[1], DAYS[2])}
    made = {file: file.stat().st_mtime_ns for file in (out / "pairs").glob("*.gpkg")}
    assert len(made) == 2
    again = pipeline("monitor", *words, "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert made == {file: file.stat().st_mtime_ns for file in made}
    last = make_raster(scenes / "place_20240101.tif", texture(128).clip(0, 255).astype(np.uint8))
    assert last.exists()
    more = pipeline("monitor", *words)
    assert more.returncode == 0 and (DAYS[2], "2024-01-01") in spans(out)
    assert made == {file: file.stat().st_mtime_ns for file in made}, "only the new pair was run"


def test_the_first_and_the_last_alone(scenes: Path, tmp_path: Path) -> None:
    done = pipeline("monitor", str(scenes), "--out", str(tmp_path / "w"), "--pairs", "first-last")
    assert done.returncode == 0, done.stderr
    assert spans(tmp_path / "w") == {(DAYS[0], DAYS[2])}


def test_a_pair_that_fails_is_named_and_the_rest_go_on(scenes: Path, tmp_path: Path) -> None:
    elsewhere = NORTH_UP @ Affine.translation(9000, 9000)
    make_raster(scenes / "place_20240101.tif", noise((64, 64, 3)), transform=elsewhere)
    done = pipeline("monitor", str(scenes), "--out", str(tmp_path / "w"))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"{DAYS[2]} to 2024-01-01: " in done.stderr
    assert "1 of 3 pairs failed" in done.stderr
    assert len(spans(tmp_path / "w")) == 2


def test_a_stac_search_gives_the_clearest_of_each_day(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    aoi = make_polygons(tmp_path / "aoi.gpkg", [square(0, 0, 128)])
    with serve_folder(scenes, tmp_path / "notes") as files:
        items = []
        for number, day in enumerate(DAYS):
            for clouds in (0.0, 15.0, 90.0):
                name = f"s{number}_{clouds:.0f}"
                one = item(name, f"{day}T10:00:00Z", clouds, files.url)
                source = scenes / f"place_{day.replace('-', '')}.tif"
                one["assets"]["visual"]["href"] = f"{files.url}/{source.name}"
                (scenes / f"{name}.json").write_text(json.dumps(one))
                items.append(one)
        with serving(items) as (url, asked):
            words = ["--collection", "scenes", "--dates", "2021-01-01/2024-01-01"]
            done = pipeline(
                *(
                    "monitor",
                    url,
                    "--out",
                    str(tmp_path / "w"),
                    "--aoi",
                    str(aoi),
                    *words,
                    "--set",
                    "model=cva",
                )
            )
    assert done.returncode == 0, done.stderr
    assert spans(tmp_path / "w") == {(DAYS[0], DAYS[1]), (DAYS[1], DAYS[2])}
    assert asked[0]["collections"] == ["scenes"]
    west, south, east, north = asked[0]["bbox"]
    assert 8.9 < west < east < 9.1 and 45.1 < south < north < 45.2
    note = json.loads(next((tmp_path / "w" / "pairs").glob("*.json")).read_text())
    assert note["before"].endswith("s0_0.json#visual") or note["before"].endswith(
        "s1_0.json#visual"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no such folder"),
        (["."], "holds 0 dated rasters"),
        (["http://127.0.0.1:9"], "a search needs --collection and --aoi and --dates"),
        (
            ["http://127.0.0.1:9", "--collection", "a", "--dates", "b", "--aoi", "aoi.gpkg"],
            "no such file",
        ),
    ],
)
def test_refusals_are_one_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = pipeline("monitor", *words, "--out", "watch")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
