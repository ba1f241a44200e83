"""Whole runs: equal bits for any blocks, threads and processes; interrupted runs resume."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from makers import make_raster, noise
from pyproj import CRS, Transformer
from rasterio.warp import Resampling, reproject

import geochange
from geochange.errors import OutputError, RunError
from geochange.grid.grid import Grid
from geochange.landscape import make_landscape
from geochange.models.classical import ChangeVector
from geochange.raster.pictures.image import write_picture
from geochange.vector.tracing.region_file import RegionFileWriter
from geochange.workflows.detect import Result, detect

pytestmark = pytest.mark.slow

SIZE = 544
"""A little more than the cells in which pixels are warped."""
UTM = Affine(0.5, 0, 691000, 0, -0.5, 5335000)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with before.tif, after.tif and turned.tif: `after` in another CRS, rotated."""
    folder = tmp_path_factory.mktemp("scene")
    land = make_landscape(SIZE)
    grid = Grid(CRS.from_epsg(32632), UTM, (SIZE, SIZE))
    write_picture(folder / "before.tif", land.before, grid)
    write_picture(folder / "after.tif", land.after, grid)
    to_laea = Transformer.from_crs(32632, 3035, always_xy=True)
    middle = to_laea.transform(*(UTM @ (SIZE / 2, SIZE / 2)))
    centred = Affine.scale(0.7, -0.7) @ Affine.translation(-300, -300)
    turned = Affine.translation(*middle) @ Affine.rotation(20) @ centred
    pixels = np.zeros((3, 600, 600), np.uint8)
    reproject(
        np.moveaxis(land.after, -1, 0),
        pixels,
        src_transform=UTM,
        src_crs="EPSG:32632",
        dst_transform=turned,
        dst_crs=CRS.from_epsg(3035),
        resampling=Resampling.bilinear,
    )
    make_raster(
        folder / "turned.tif",
        np.moveaxis(pixels, 0, -1),
        crs=CRS.from_epsg(3035),
        transform=turned,
        nodata=0,
    )
    return folder


def fingerprint(result: Result) -> tuple[str, str, int]:
    outlines = b"".join(shapely.to_wkb(np.asarray(result.changes.geometry)))
    raster = result.raster.read_bytes()
    return hashlib.sha256(raster).hexdigest(), hashlib.sha256(outlines).hexdigest(), result.polygons


def run(scene: Path, out: Path, after: str = "after.tif", **options: Any) -> Result:
    briefly = {"report": "none", "skip_checks": True}
    options = {"model": "cva", "tile": 128, "overlap": 32, "block": 2, **briefly, **options}
    return detect(scene / "before.tif", scene / after, out, **options)


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("after", ["after.tif", "turned.tif"])
def test_blocks_threads_and_processes_leave_no_trace(
    scene: Path, tmp_path: Path, after: str
) -> None:
    out = tmp_path / "changes.gpkg"
    first = fingerprint(run(scene, out, after, block=2, threads=1))
    assert first[2] > 5
    ways: list[dict[str, int]] = [
        {"block": 4, "threads": 4},
        {"block": 8, "threads": 2, "batch": 3},
        {"block": 4, "workers": 2},
    ]
    for way in ways:
        assert fingerprint(run(scene, out, after, **way)) == first, way
    assert not list(tmp_path.glob(".*")), "a work folder was left behind"


def test_planted_changes_are_found_whatever_the_grid(scene: Path, tmp_path: Path) -> None:
    straight = run(scene, tmp_path / "a.gpkg").changes.union_all()
    turned = run(scene, tmp_path / "b.gpkg", "turned.tif").changes.union_all()
    shared = straight.intersection(turned).area
    assert shared > 0.7 * turned.area
    onto_after = run(scene, tmp_path / "c.gpkg", "turned.tif", grid="after")
    assert onto_after.changes.crs.to_epsg() == 3035
    placed = onto_after.changes.to_crs(32632).union_all()
    assert placed.intersection(turned).area > 0.7 * turned.area


def test_files_say_what_the_result_says(scene: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    result = run(scene, tmp_path / "changes.gpkg", progress=lambda *event: seen.append(event))
    read = gpd.read_file(result.out, layer="changes")
    assert len(read) == result.polygons > 5
    np.testing.assert_allclose(read["area_m2"].sum(), result.changed_m2)
    # Half-metre pixels: the geodesic area is that of the plane within UTM's scale, 0.08 %.
    np.testing.assert_allclose(read.geometry.area, read["area_m2"], rtol=2e-3)
    assert read["confidence_mean"].between(0.5, 1).all()
    assert (read["confidence_max"] >= read["confidence_mean"]).all()
    with rasterio.open(result.raster) as raster:
        assert (raster.nodata, raster.dtypes[0], raster.shape) == (255, "uint8", (SIZE, SIZE))
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.overviews(1)
        assert raster.colormap(1)
    table = gpd.read_file(result.out, layer="geochange_run").set_index("key")["value"]
    assert table["model"] == "cva"
    assert table["before"] == str(scene / "before.tif")
    assert '"tile":128' in table["options"]
    stages = {stage for stage, done, total in seen if done == total}
    assert stages == {"infer", "polygons", "write"}


def test_nothing_changed_is_a_valid_empty_answer(scene: Path, tmp_path: Path) -> None:
    result = detect(
        scene / "before.tif", scene / "before.tif", tmp_path / "changes.gpkg", model="cva"
    )
    assert result.polygons == 0
    assert len(gpd.read_file(result.out, layer="changes")) == 0
    with rasterio.open(result.raster) as raster:
        assert raster.read(1).max() < 127


def test_min_area_and_threshold_are_obeyed(scene: Path, tmp_path: Path) -> None:
    loose = run(scene, tmp_path / "a.gpkg", min_area=0)
    strict = run(scene, tmp_path / "a.gpkg", min_area=100, threshold=0.8)
    assert strict.changes["area_m2"].min() >= 100
    assert strict.changes["confidence_mean"].min() >= 0.8
    assert 0 < strict.polygons < loose.polygons
    assert strict.changed_m2 < loose.changed_m2


class Broken(ChangeVector):
    """A change vector model whose third batch fails, until `mended` is set."""

    mended = False
    calls = 0

    def change_logits(self, batch: Any) -> Any:
        """Count, and fail."""
        Broken.calls += 1
        if Broken.calls > 2 and not Broken.mended:
            raise RuntimeError("the network fell over")
        return super().change_logits(batch)


def test_a_broken_run_writes_nothing_and_goes_on_where_it_was(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "changes.gpkg"
    model = f"{Broken.__module__}:{Broken.__name__}"
    options = {"model": model, "batch": 4, "threads": 1, "block": 2}
    Broken.mended, Broken.calls = False, 0
    with pytest.raises(RuntimeError, match="fell over"):
        run(scene, out, **options)
    assert [path.name for path in tmp_path.iterdir()] == [".changes.gpkg.work"]
    Broken.mended, Broken.calls = True, 0
    resumed = run(scene, out, **options)
    assert resumed.resumed
    # 6 x 6 tiles in 9 blocks, one batch each; two were done before the failure.
    assert Broken.calls == 7
    undisturbed = run(scene, tmp_path / "other.gpkg", **options)
    assert fingerprint(resumed) == fingerprint(undisturbed)
    assert not list(tmp_path.glob(".*"))


def test_a_disk_too_full_for_outlines_ends_a_run_that_goes_on(
    pair_paths: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OutputError("outlines cannot be kept: free some disk space")

    out = tmp_path / "changes.gpkg"
    briefly: dict[str, Any] = {"model": "cva", "min_area": 0, "report": "none"}
    with monkeypatch.context() as patched:
        patched.setattr(RegionFileWriter, "put", full)
        with pytest.raises(RunError, match="outlines cannot be kept"):
            detect(*pair_paths, out, **briefly)
    assert detect(*pair_paths, out, **briefly).resumed


@pytest.fixture
def small(pair_paths: tuple[Path, Path]) -> Path:
    """A folder with before.tif and after.tif of 20 x 30 pixels, for what any run decides."""
    return pair_paths[0].parent


def test_other_options_start_afresh(small: Path) -> None:
    out = small / "changes.gpkg"
    kept = run(small, out, keep_work=True)
    assert (small / ".changes.gpkg.work").is_dir()
    assert not kept.resumed
    assert run(small, out, keep_work=True).resumed
    assert not run(small, out, overlap=16).resumed


def test_an_input_is_never_overwritten(scene: Path) -> None:
    with pytest.raises(OutputError, match="would overwrite"):
        detect(scene / "before.tif", scene / "after.tif", scene / "after.gpkg")


def test_the_public_name_is_the_function() -> None:
    importlib.import_module("geochange.workflows.detect")
    assert geochange.detect is detect


def test_other_code_of_ones_own_model_starts_afresh(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "from geochange.models.classical import ChangeVector\n"
        "class Mine(ChangeVector):\n    threshold = {}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "mine_of_the_test.py"
    out = tmp_path / "changes.gpkg"
    module.write_text(code.format(0.5))
    run(small, out, model="mine_of_the_test:Mine", keep_work=True)
    assert run(small, out, model="mine_of_the_test:Mine", keep_work=True).resumed
    module.write_text(code.format(0.75))
    assert not run(small, out, model="mine_of_the_test:Mine").resumed


def test_what_lies_behind_a_vrt_is_an_input_too(tmp_path: Path) -> None:
    make_raster(tmp_path / "source.tif", noise((40, 50, 3)))
    make_raster(tmp_path / "after.tif", noise((40, 50, 3), seed=1))
    band = (
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">'
        "source.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
    )
    (tmp_path / "source.vrt").write_text(
        '<VRTDataset rasterXSize="50" rasterYSize="40"><SRS>EPSG:32632</SRS>'
        f"<GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>{band}</VRTDataset>"
    )
    with pytest.raises(OutputError, match=r"would overwrite the input source\.tif"):
        detect(
            tmp_path / "source.vrt", tmp_path / "after.tif", tmp_path / "source.gpkg", model="cva"
        )


def test_a_raster_that_is_not_ours_is_not_replaced(small: Path) -> None:
    labels = make_raster(small / "labels.tif", noise((40, 50)))
    there = labels.read_bytes()
    with pytest.raises(OutputError, match="is not a probability raster"):
        run(small, small / "labels.gpkg")
    assert labels.read_bytes() == there
    run(small, small / "changes.gpkg")
    run(small, small / "changes.gpkg")
