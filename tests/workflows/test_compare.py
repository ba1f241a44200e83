"""Polygons compared with a reference: measures equal scikit-learn's, for any windows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio.features
import shapely
from makers import LONLAT, NORTH_UP, UTM, make_raster
from polygon_files import make_polygons, square
from sklearn import metrics

from geochange.errors import InputError, OptionError
from geochange.training.metrics.boundary import boundary_counts
from geochange.training.metrics.counts import Counts
from geochange.vector.files.writers import empty_changes, table_of, write_changes
from geochange.workflows.compare import ObjectCounts, compare

pytestmark = pytest.mark.slow

SHAPE = (60, 80)


@pytest.fixture
def extent(tmp_path: Path) -> Path:
    """A raster whose grid is used for the comparison."""
    return make_raster(tmp_path / "before.tif", np.ones(SHAPE, np.uint8))


def mask_file(path: Path, mask: np.ndarray) -> Path:
    """A mask as polygons along its pixels."""
    shapes = rasterio.features.shapes(mask.astype(np.uint8), mask=mask)
    return make_polygons(path, [shapely.geometry.shape(each) for each, _ in shapes])


def blobs(seed: int) -> np.ndarray:
    """A random mask of patches, some of single pixels."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.random((15, 20)) < 0.2, np.ones((4, 4))) > 0
    return coarse ^ (rng.random(SHAPE) < 0.03)


@pytest.mark.parametrize("window_px", [17, 2048])
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_scikit_learns(
    tmp_path: Path, extent: Path, seed: int, window_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geochange.workflows.compare.WINDOW_PX", window_px)
    ours, theirs = blobs(seed), blobs(seed + 50)
    theirs[:, :40] = ours[:, :40]
    files = mask_file(tmp_path / "a.gpkg", ours), mask_file(tmp_path / "b.geojson", theirs)
    result = compare(*files, extent=extent)
    truth, said = theirs.ravel(), ours.ravel()
    figures = result.pixels.figures()
    for name, scorer in (
        ("f1", metrics.f1_score),
        ("iou", metrics.jaccard_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("accuracy", metrics.accuracy_score),
        ("kappa", metrics.cohen_kappa_score),
    ):
        assert figures[name] == pytest.approx(scorer(truth, said), abs=1e-12)
    assert result.boundary == boundary_counts(ours, theirs.astype(np.uint8), 2)


def test_objects_by_size(tmp_path: Path, extent: Path) -> None:
    """Pixels of 100 m2: 100 m2 exact, 900 m2 half found, 4,900 m2 false; 14,400 m2 missed."""
    small, medium, large = square(2, 2, 1), square(10, 10, 3), square(30, 30, 12)
    found = make_polygons(
        tmp_path / "found.gpkg", [small, square(10, 12, 3), square(40, 5, 7)], LONLAT
    )
    reference = make_polygons(
        tmp_path / "reference.gpkg", [shapely.MultiPolygon([small, medium]), large]
    )
    result = compare(found, reference, extent=extent)
    at_01, at_05 = result.objects[0.1], result.objects[0.5]
    assert at_01["all"] == ObjectCounts(3, 3, 2, 2)
    assert at_05["all"] == ObjectCounts(3, 3, 1, 1)
    assert list(at_01) == [
        "all",
        "below 100 m2",
        "100 to 1,000 m2",
        "1,000 to 10,000 m2",
        "10,000 m2 and more",
    ]
    assert at_01["1,000 to 10,000 m2"] == ObjectCounts(1, 0, 0, 0)
    assert at_01["10,000 m2 and more"] == ObjectCounts(0, 1, 0, 0)
    below, above = at_05["below 100 m2"], at_05["100 to 1,000 m2"]
    assert below.found + above.found == 2 and below.found_matched + above.found_matched == 1
    assert at_01["all"].figures() == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}
    )
    assert result.pixel_m2 == pytest.approx(100, rel=1e-3)


def written_by_a_run(path: Path, *outlines: shapely.Polygon) -> Path:
    changes = empty_changes(UTM)
    if outlines:
        ground = [
            shapely.transform(each, lambda xy: xy * [10, -10] + [5e5, 5e6]) for each in outlines
        ]
        count = len(ground)
        columns = {
            "id": np.arange(count),
            "touches_edge": np.zeros(count, bool),
            **dict.fromkeys(
                ("area_m2", "perimeter_m", "confidence_mean", "confidence_max"), np.ones(count)
            ),
        }
        changes = table_of(columns, ground, UTM)
    told = {"transform": json.dumps(list(NORTH_UP)[:6]), "shape": json.dumps(SHAPE)}
    write_changes(changes, path, {"crs": "EPSG:32632", **told})
    return path


def test_the_grid_of_the_run_is_the_extent(tmp_path: Path) -> None:
    found = written_by_a_run(tmp_path / "changes.gpkg", square(5, 5, 10))
    beyond = [square(5, 7, 10), square(300, 300, 50), square(50, 70, 100)]
    result = compare(found, make_polygons(tmp_path / "reference.gpkg", beyond, LONLAT))
    assert result.grid.shape == SHAPE
    assert result.pixels == Counts(tp=80, fp=20, fn=20 + 100, tn=SHAPE[0] * SHAPE[1] - 220)
    assert result.objects[0.5]["all"] == ObjectCounts(1, 2, 1, 1)
    assert result.left_out == {"found": 0, "reference": 1}


def test_nothing_counts_outside_of_an_area(tmp_path: Path, extent: Path) -> None:
    found = make_polygons(tmp_path / "found.gpkg", [square(0, 0, 20), square(40, 60, 10)])
    reference = make_polygons(tmp_path / "reference.gpkg", [square(0, 10, 20), square(40, 0, 10)])
    within = make_polygons(tmp_path / "within.geojson", [square(0, 0, 30)], LONLAT)
    result = compare(found, reference, extent=extent, within=within)
    assert result.pixels == Counts(tp=200, fp=200, fn=200, tn=300)
    assert result.objects[0.1]["all"] == ObjectCounts(1, 1, 1, 1)


@pytest.mark.parametrize("empty", ["found", "reference", "both"])
def test_no_polygons_are_an_honest_nothing(tmp_path: Path, empty: str) -> None:
    some = [] if empty == "both" else [square(5, 5, 10)]
    found = written_by_a_run(tmp_path / "changes.gpkg", *(some if empty != "found" else []))
    reference = make_polygons(tmp_path / "b.gpkg", [] if empty != "found" else some)
    result = compare(found, reference)
    assert result.pixels.tp == 0 and result.pixels.figures()["f1"] == 0
    assert (result.pixels.fp, result.pixels.fn) == {
        "found": (0, 100),
        "reference": (100, 0),
        "both": (0, 0),
    }[empty]
    assert result.boundary.f1 == 0 and result.objects[0.1]["all"].figures()["f1"] == 0


def test_metric_pixels(tmp_path: Path) -> None:
    found = make_polygons(tmp_path / "a.gpkg", [square(0, 0, 20)], LONLAT)
    reference = make_polygons(tmp_path / "b.gpkg", [square(0, 5, 20)])
    result = compare(str(found), str(reference), pixel_m=1.0)
    assert result.pixels.figures()["iou"] == pytest.approx(0.6, abs=2e-3)
    assert result.pixel_m2 == pytest.approx(1, rel=1e-6)


def test_the_result_is_plain_json(tmp_path: Path, extent: Path) -> None:
    found = make_polygons(tmp_path / "a.gpkg", [square(0, 0, 20)])
    result = compare(found, found, extent=extent, tolerance_px=3)
    plain = json.loads(json.dumps(result.to_json()))
    assert plain["pixels"]["f1"] == plain["boundary"]["f1"] == 1
    assert plain["objects"]["iou_0.5"]["all"]["recall"] == 1
    assert plain["grid"]["shape"] == list(SHAPE)
    assert plain["left_out"] == {"found": 0, "reference": 0}


def test_refusals(tmp_path: Path, extent: Path) -> None:
    drawn = make_polygons(tmp_path / "a.gpkg", [square(0, 0, 20)])
    far = make_polygons(tmp_path / "far.gpkg", [square(900, 900, 20)])
    with pytest.raises(OptionError, match=r"does not record the grid .*--pixel 0\.5"):
        compare(drawn, drawn)
    with pytest.raises(OptionError, match="above 0"):
        compare(drawn, drawn, pixel_m=0)
    with pytest.raises(OptionError, match="its own pixel size"):
        compare(drawn, drawn, pixel_m=1, extent=extent)
    with pytest.raises(InputError, match="none of its polygons"):
        compare(drawn, drawn, extent=extent, within=far)
    for pair in ((drawn, far), (far, drawn)):
        with pytest.raises(InputError, match=r"far\.gpkg: none of its polygons lies on the ground"):
            compare(*pair, extent=extent)
    with pytest.raises(InputError, match="no such file"):
        compare(drawn, tmp_path / "nowhere.gpkg", extent=extent)
