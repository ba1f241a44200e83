"""polygonize gives the polygons of a run from its raster, for all options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from makers import NORTH_UP, make_raster, texture

from geochange import detect, polygonize
from geochange.cli.main import cli
from geochange.errors import InputError, OptionError, OutputError
from geochange.raster.output import earlier_probability
from geochange.vector.files.run_record import read_record
from geochange.workflows.detect import Result

pytestmark = pytest.mark.slow

SIZE = 700


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Rough texture on a rotated grid, partly inverted after, with a corner without data."""
    folder = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(3)
    before = texture(SIZE).clip(1, 255).astype(np.uint8)
    after = before.copy()
    for row, col, height, width in rng.integers((0, 0, 5, 5), (600, 600, 90, 90), (25, 4)):
        part = after[row : row + height, col : col + width]
        part[:] = 255 - part
    after[:120, :90] = 0
    turned = NORTH_UP @ Affine.rotation(12)
    return (
        make_raster(folder / "before.tif", before, nodata=0, transform=turned),
        make_raster(folder / "after.tif", after, nodata=0, transform=turned),
    )


@pytest.fixture(scope="module")
def ran(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Result:
    return detect(
        *pair, tmp_path_factory.mktemp("run") / "changes.gpkg", report="none", model="cva"
    )


def table(path: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(path, layer="changes")


def assert_same(one: Path, other: Path) -> None:
    first, second = table(one), table(other)
    assert len(first) > 5
    assert first.crs == second.crs
    assert first.geometry.to_wkb().tolist() == second.geometry.to_wkb().tolist()
    pd.testing.assert_frame_equal(
        pd.DataFrame(first.drop(columns="geometry")),
        pd.DataFrame(second.drop(columns="geometry")),
        check_exact=True,
    )


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 0.6},
        {"threshold": 0.75, "min_area": 8000},
        {"threshold": 0.5, "simplify": 3, "smooth": 2},
        {"threshold": 0.6, "orthogonal": True, "min_area": 0},
        {"threshold": 0.6, "simplify": 0, "min_area": 0},
    ],
)
def test_the_same_options_give_the_same_polygons(
    pair: tuple[Path, Path],
    ran: Result,
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(earlier_probability, "BLOCK_PX", 128)
    anew = detect(*pair, tmp_path / "anew.gpkg", report="none", model="cva", **options)
    again = polygonize(ran.raster, tmp_path / "again.gpkg", **options)
    assert_same(again.out, anew.out)
    assert again.polygons == anew.polygons
    assert again.changed_m2 == pytest.approx(anew.changed_m2, rel=1e-12)


def test_without_options_it_is_the_run_again(ran: Result, tmp_path: Path) -> None:
    assert_same(polygonize(ran.raster, tmp_path / "again.gpkg").out, ran.out)


def test_it_keeps_what_the_run_said_of_itself(ran: Result, tmp_path: Path) -> None:
    again = polygonize(ran.raster, tmp_path / "again.gpkg", threshold=0.7)
    was, record = read_record(ran.out), read_record(again.out)
    for key in ("before", "after", "crs", "transform", "shape", "model", "bands_before"):
        assert record[key] == was[key]
    assert record["probability_level"] == "178"
    assert '"threshold": 0.7' in record["options"] and '"tile": 256' in record["options"]


def test_a_raster_alone_is_enough(ran: Result, tmp_path: Path) -> None:
    alone = tmp_path / "alone.tif"
    alone.write_bytes(ran.raster.read_bytes())
    again = polygonize(alone)
    assert again.out == tmp_path / "alone-0.5.gpkg"
    assert again.threshold == 0.5
    assert again.polygons > 5


@pytest.mark.parametrize("suffix", [".geojson", ".fgb", ".parquet"])
def test_any_format_will_do(ran: Result, tmp_path: Path, suffix: str) -> None:
    again = polygonize(ran.raster, tmp_path / f"again{suffix}")
    assert again.polygons == len(table(ran.out))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"again{suffix}"]


def test_it_needs_no_network(ran: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "geochange.models.cached_model", lambda spec: pytest.fail("asked the network")
    )
    assert polygonize(ran.raster, tmp_path / "again.gpkg").polygons


def test_other_rasters_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"before\.tif: is not a probability raster of geochange run"
    ):
        polygonize(pair[0], tmp_path / "x.gpkg")
    with pytest.raises(InputError, match="no such file"):
        polygonize(tmp_path / "gone.tif")
    assert list(tmp_path.iterdir()) == []


def test_a_cut_off_raster_is_refused(ran: Result, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tif"
    cut.write_bytes(ran.raster.read_bytes()[:-20_000])
    with pytest.raises(InputError, match=r"cut\.tif: damaged or cut off"):
        polygonize(cut)
    assert [path.name for path in tmp_path.iterdir()] == ["cut.tif"]


def test_wrong_options_are_refused(ran: Result, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--threshold 2"):
        polygonize(ran.raster, tmp_path / "x.gpkg", threshold=2)
    with pytest.raises(OptionError, match="cannot tell the format"):
        polygonize(ran.raster, tmp_path / "x.doc")
    with pytest.raises(OutputError, match="no folder"):
        polygonize(ran.raster, tmp_path / "none" / "x.gpkg")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_where_they_lie(ran: Result, tmp_path: Path) -> None:
    out = tmp_path / "again.gpkg"
    arguments = ["polygonize", str(ran.raster), "--threshold", "0.6", "--min-area", "200"]
    told = CliRunner().invoke(cli, [*arguments, "--orthogonal", "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert str(out) in told.output
    assert table(out)["area_m2"].min() >= 200


def test_memory_does_not_hold_the_raster(tmp_path: Path) -> None:
    """One block at a time is read, and the file of outlines is deleted."""
    shape = (3 * 2048, 2 * 2048)
    path = tmp_path / "large.tif"
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": 255, "sparse_ok": True}
    with rasterio.open(
        path,
        "w",
        height=shape[0],
        width=shape[1],
        crs="EPSG:32632",
        transform=NORTH_UP,
        tiled=True,
        **profile,
    ) as raster:
        raster.set_band_description(1, earlier_probability.PROBABILITY_BAND)
        square = np.full((64, 64), 254, np.uint8)
        raster.write(square, 1, window=rasterio.windows.Window(2020, 2020, 64, 64))
    source = earlier_probability.ProbabilityRaster.of(str(path))
    sizes = [pixels.nbytes for _, pixels in source.blocks()]
    assert max(sizes) <= 2048**2 and sum(sizes) == shape[0] * shape[1]
    again = polygonize(path)
    assert again.polygons == 1
    assert again.changed_m2 == pytest.approx(64 * 64 * 100 / 0.9996**2, rel=1e-3)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["large-0.5.gpkg", "large.tif"]
