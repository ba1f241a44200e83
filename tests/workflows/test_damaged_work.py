"""Any damage to the work folder between a crash and the next run gives the same result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch
from file_damage import DAMAGES, copy_afresh
from makers import NORTH_UP, UTM, make_raster, noise

from geochange.models.inference.batch import Batch
from geochange.workflows.detect import Result, detect

pytestmark = pytest.mark.slow

SIZE = 136
TILES, HALT = 6**2, 22
"""The tiles of the scene, some of them outside the area; the number of batches before a failure."""
OPTIONS: dict[str, Any] = {
    **{"tile": 32, "overlap": 8, "block": 2, "threads": 1, "batch": 1, "min_area": 0},
    **{"model": f"{__name__}:Halting", "device": "cpu", "skip_checks": True},
}
KINDS = (
    *("logits.zarr/c/*/*/0/0", "scores.zarr/c/*/*/0/0", "probability.zarr/c/*/*"),
    *("before.zarr/c/*/*/0/0/0", "*.zarr/zarr.json", "unreadable/*.json", "area.wkb"),
)
"""The files of a work folder, except for the fingerprint."""


class Halting:
    """A model of two classes that fails after some batches."""

    bands, threshold = 1, 0.5
    classes = ("field", "house")
    left = 10**9

    def fit(self, sample: Any) -> dict[str, Any]:
        return {}

    def adopt(self, statistics: Any) -> None: ...

    def class_scores(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        one, two = (
            torch.stack([1 - share, share], dim=1)
            for share in (
                date.float().mean(dim=(1, 2, 3)) / 255 for date in (batch.before, batch.after)
            )
        )
        return one, two

    def change_logits(
        self, batch: Batch, scores: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        Halting.left -= 1
        if Halting.left < 0:
            raise RuntimeError("the model falls over")
        return (batch.after.float() - batch.before.float())[:, 0] / 8 - 4

    def named_logits(self, batch: Batch, names: Any) -> torch.Tensor:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def never_halting() -> Iterator[None]:
    Halting.left = 10**9
    yield
    Halting.left = 10**9


@pytest.fixture(scope="module", autouse=True)
def pictures() -> Iterator[None]:
    """Runs keep thumbnails here, as they do for large rasters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geochange.running.plan.plan_run.picture_px", lambda checked: 64)
        yield


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """before.tif, after.tif and an area that leaves a corner out."""
    folder = tmp_path_factory.mktemp("scene")
    before = noise((SIZE, SIZE)) // 4
    after = before.copy()
    after[17:51, 25:75] += 120
    after[85:110, 60:128] += 90
    make_raster(folder / "before.tif", before)
    make_raster(folder / "after.tif", after)
    outline = shapely.Polygon([(0, 0), (SIZE, 0), (SIZE, 85), (85, SIZE), (0, SIZE)])
    ground = shapely.transform(outline, lambda xy: np.column_stack(NORTH_UP @ xy.T))
    gpd.GeoDataFrame(geometry=[ground], crs=UTM).to_file(folder / "area.gpkg")
    return folder


def run(scene: Path, out: Path, **options: Any) -> Result:
    given = {"aoi": str(scene / "area.gpkg"), **OPTIONS, **options}
    return detect(scene / "before.tif", scene / "after.tif", out, **given)


@pytest.fixture(scope="module")
def undisturbed(scene: Path) -> Path:
    Halting.left = 10**9
    return run(scene, scene / "undisturbed.gpkg").out


@pytest.fixture(scope="module", params=["crashed", "kept"])
def left(
    request: pytest.FixtureRequest, scene: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the work of a run: half of it, or all."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "kept":
        Halting.left = 10**9
        run(scene, folder / "changes.gpkg", keep_work=True)
        return folder
    Halting.left = HALT
    with pytest.raises(RuntimeError, match="falls over"):
        run(scene, folder / "changes.gpkg")
    return folder


def assert_same(one: Path, other: Path) -> None:
    assert one.with_suffix(".tif").read_bytes() == other.with_suffix(".tif").read_bytes()
    first, second = gpd.read_file(one, layer="changes"), gpd.read_file(other, layer="changes")
    assert len(first) > 1 and first["change"].notna().all()
    assert first.equals(second)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_same_command_gives_the_same_answer(
    damage: str, scene: Path, left: Path, undisturbed: Path, tmp_path: Path
) -> None:
    work = copy_afresh(left, tmp_path / "run") / ".changes.gpkg.work"
    for kind in KINDS:
        files = sorted(work.glob(kind))
        assert files, kind
        for file in files[::2]:
            DAMAGES[damage](file)
    result = run(scene, tmp_path / "run" / "changes.gpkg")
    assert result.resumed
    assert_same(result.out, undisturbed)
    assert result.report is not None and result.report.stat().st_size > 10_000
    assert not list((tmp_path / "run").glob(".*"))


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "empty"])
def test_work_of_nobody_knows_whom_is_begun_afresh(
    damage: str,
    scene: Path,
    left: Path,
    undisturbed: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if left.name.startswith("kept"):
        return
    work = copy_afresh(left, tmp_path / "run") / ".changes.gpkg.work"
    DAMAGES[damage](work / "fingerprint.json")
    result = run(scene, tmp_path / "run" / "changes.gpkg")
    assert not result.resumed
    assert "the work of the last run is damaged: starting afresh" in caplog.text
    assert_same(result.out, undisturbed)


def test_what_is_intact_is_not_computed_again(scene: Path, left: Path, tmp_path: Path) -> None:
    copy_afresh(left, tmp_path / "run")
    Halting.left = 10**6
    assert run(scene, tmp_path / "run" / "changes.gpkg", keep_work=True).resumed
    again = 10**6 - Halting.left
    assert again == 0 if left.name.startswith("kept") else again <= TILES - HALT + 4
    Halting.left = 0
    assert run(scene, tmp_path / "run" / "changes.gpkg").resumed


def test_a_chunk_that_is_lost_costs_its_block_alone(
    scene: Path, left: Path, tmp_path: Path
) -> None:
    if left.name.startswith("crashed"):
        return
    work = copy_afresh(left, tmp_path / "run") / ".changes.gpkg.work"
    chunks = sorted(work.glob("scores.zarr/c/*/*/0/0"))
    DAMAGES["flipped"](chunks[1])
    Halting.left = 10**6
    run(scene, tmp_path / "run" / "changes.gpkg")
    assert 1 <= 10**6 - Halting.left <= OPTIONS["block"] ** 2
