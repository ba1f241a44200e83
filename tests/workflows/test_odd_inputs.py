"""Runs on inputs like real files: dtypes, nodata and masks by band, and undeclared fills."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from makers import make_raster
from numpy.typing import NDArray
from odd_rasters import mask_band, vrt
from rasterio.features import rasterize

from geochange.cli.main import _exit_code
from geochange.config import RunOptions
from geochange.report.run.run_origin import RunOrigin
from geochange.running import provenance
from geochange.running.plan.plan_run import plan_run
from geochange.running.work_folder import WorkFolder, work_name
from geochange.workflows.detect import detect
from geochange.workflows.preflight import check_run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("error::RuntimeWarning")]

SIZE = 160
HOLE = np.zeros((SIZE, SIZE), np.bool_)
HOLE[100:150, 10:60] = True
CHANGE = np.zeros((SIZE, SIZE), np.bool_)
CHANGE[30:65, 40:80] = CHANGE[80:120, 100:140] = True
OPTIONS: dict[str, Any] = {"model": "cva", "report": "none", "tile": 64, "overlap": 16, "block": 2}


def scene() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(height, width, 3) fields between 40 and 160 before; after, with two new roofs of 230."""
    rng = np.random.default_rng(1)
    fields = np.kron(rng.integers(60, 140, (10, 10, 3)), np.ones((16, 16, 1)))
    before = fields + rng.normal(0, 3, fields.shape)
    after = before + rng.normal(0, 2, fields.shape)
    after[CHANGE] = 230 + rng.normal(0, 3, (int(CHANGE.sum()), 3))
    return before, after


def files(folder: Path, dtypes: tuple[str, ...], marks: tuple[float | None, ...]) -> Any:
    """Both dates as virtual rasters with one file per band; the date after has the hole."""
    paths = []
    for name, pixels in zip(("before", "after"), scene(), strict=True):
        (folder / name).mkdir()
        bands = []
        for band, (dtype, mark) in enumerate(zip(dtypes, marks, strict=True)):
            values = (pixels[..., band] * (1 if dtype == "uint8" else 40)).astype(dtype)
            if name == "after":
                values[HOLE] = mark if mark is not None else 0
            bands.append((values, mark))
        paths.append(vrt(folder / name, bands))
    return paths


def rasters(folder: Path, dtype: str, change: Callable[[Any], None]) -> tuple[Path, Path]:
    """Both dates as GeoTIFFs, each modified by `change`."""
    paths = []
    for name, pixels in zip(("before", "after"), scene(), strict=True):
        values = pixels.astype(dtype)
        change(values)
        paths.append(make_raster(folder / f"{name}.tif", values))
    return paths[0], paths[1]


def assert_found(out: Path, hole: NDArray[np.bool_]) -> None:
    """Exactly the two roofs are change, and the hole is nodata."""
    with rasterio.open(out.with_suffix(".tif")) as raster:
        np.testing.assert_array_equal(raster.read(1) == 255, hole)
        transform = raster.transform
    shapes = gpd.read_file(out, layer="changes").geometry
    found = rasterize(shapes, CHANGE.shape, transform=transform, dtype=np.uint8) > 0
    overlap = float((found & CHANGE).sum() / (found | CHANGE).sum())
    assert overlap > 0.87  # the result of cva at corners


BY_BAND: dict[str, tuple[tuple[str, ...], tuple[float | None, ...]]] = {
    "a nodata value a band": (("uint16",) * 3, (0, 65535, 65535)),
    "nodata in one band alone": (("uint16",) * 3, (None, 0, None)),
    "signed, a value a band": (("int16",) * 3, (-9999, -32768, 0)),
    "NaN and numbers": (("float32",) * 3, (float("nan"), -9999.0, -3.4028234663852886e38)),
    "three types": (("uint8", "uint16", "float32"), (255, 65535, -9999.0)),
}


@pytest.mark.parametrize("name", BY_BAND)
def test_nodata_of_each_band_is_never_change(tmp_path: Path, name: str) -> None:
    result = detect(*files(tmp_path, *BY_BAND[name]), tmp_path / "o.gpkg", **OPTIONS)
    assert_found(result.out, HOLE)


def test_masks_of_each_band_are_never_change(tmp_path: Path) -> None:
    before, after = scene()
    after[HOLE] = 250
    masked = mask_band(tmp_path, "mask.tif", ~HOLE * 255)
    plain = make_raster(tmp_path / "before.tif", before.astype(np.uint8))
    bands = [(after[..., band].astype(np.uint8), None) for band in range(3)]
    path = vrt(tmp_path, bands, band2_says=masked)
    assert_found(detect(plain, path, tmp_path / "o.gpkg", **OPTIONS).out, HOLE)


FILLS = [
    ("float32", -3.4028234663852886e38),
    ("float32", 9.969209968386869e36),
    ("float64", 1e300),
    ("float32", np.inf),
    ("float32", -9999),
    ("int16", -32768),
]


@pytest.mark.parametrize(("dtype", "value"), FILLS)
def test_a_fill_is_never_change_with_or_without_checks(
    tmp_path: Path, dtype: str, value: float
) -> None:
    def fill(pixels: Any) -> None:
        pixels[HOLE] = value

    pair = rasters(tmp_path, dtype, fill)
    answers = []
    for name, options in (("a", {}), ("b", {"skip_checks": True}), ("c", {"block": 4})):
        out = tmp_path / f"{name}.gpkg"
        detect(*pair, out, **{**OPTIONS, **options})
        assert_found(out, HOLE)
        with rasterio.open(out.with_suffix(".tif")) as raster:
            answers.append(raster.read(1))
    assert all((answer == answers[0]).all() for answer in answers)


def test_the_record_of_a_run_knows_its_fills(tmp_path: Path) -> None:
    def fill(pixels: Any) -> None:
        pixels[HOLE, 1] = -9999

    pair = rasters(tmp_path, "float32", fill)
    origin = RunOrigin.of(detect(*pair, tmp_path / "o.gpkg", **OPTIONS).out)
    assert origin.json_value("fills")["after"]["2"] == [-9999]
    for date in (origin.pair((None, None)).before, origin.pair((None, None)).after):
        with date.reader() as read:
            np.testing.assert_array_equal(read(date.grid.full_window)[1], ~HOLE)


def test_the_screen_names_a_fill_in_one_line_and_no_warning_of_numpy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fill(pixels: Any) -> None:
        pixels[HOLE] = 1e20

    pair = [str(path) for path in rasters(tmp_path, "float32", fill)]
    out = ["--out", str(tmp_path / "o.gpkg"), "--model", "cva", "--report", "none"]
    said = "bands 1, 2, 3 hold 1e+20 on 9.77 % of the sample"
    assert _exit_code(["check", *pair]) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    assert _exit_code(["run", *pair, *out]) == 0
    assert sum(said in record.getMessage() for record in caplog.records) == 2  # one at each date
    assert all("\n" not in record.getMessage() for record in caplog.records)
    assert "Warning" not in capsys.readouterr().err


def test_work_of_another_version_is_begun_afresh(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Version 0.1.0 recorded dtype, nodata, alpha and mask once per raster."""
    pair = rasters(tmp_path, "uint8", lambda pixels: None)
    out = tmp_path / "o.gpkg"
    work = plan_run(check_run(*pair, out, RunOptions.parse(OPTIONS)))
    old = provenance.fingerprint(work)
    for told in old["inputs"]:
        told[2] = ["uint8", None, None, False]
    folder = WorkFolder.for_output(out)
    folder.begin(old)
    folder.commit(old)
    logits = out.with_name(work_name(out)) / "logits.zarr"
    logits.mkdir()
    (logits / "zarr.json").write_text("{}")
    result = detect(*pair, out, **OPTIONS)
    assert not result.resumed and "starting afresh" in caplog.text
    assert_found(result.out, np.zeros_like(HOLE))
    assert json.dumps(old)
