"""The raster is the same if written during inference or afterwards; a failed run leaves none."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from makers import make_raster, texture

import geochange
from geochange.errors import OutputError, RunError
from geochange.models.inference.batch import Batch
from geochange.running import raster_writer
from geochange.running.plan import disk_space

pytestmark = pytest.mark.slow

OPTIONS: dict[str, Any] = {"model": "cva", "tile": 64, "overlap": 16, "block": 2, "report": "none"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("raster")
    before = texture(320).clip(1, 255).astype(np.uint8)
    after = before.copy()
    after[40:90, 60:110] = 255 - after[40:90, 60:110]
    after[:50, 200:] = 0
    return (
        make_raster(folder / "before.tif", before, nodata=0),
        make_raster(folder / "after.tif", after, nodata=0),
    )


@pytest.fixture(scope="module")
def late(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> geochange.Result:
    """A run that writes its raster at the end."""
    return geochange.detect(*pair, tmp_path_factory.mktemp("late") / "late.gpkg", **OPTIONS)


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space, "EARLY_PX", 1)
    monkeypatch.setattr(disk_space, "EARLY_BLOCKS", 1)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("raster")]


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("options", [{}, {"threads": 1}, {"workers": 1}, {"keep_work": True}])
def test_early_or_late_the_bytes_are_the_same(
    options: dict[str, Any],
    pair: tuple[Path, Path],
    late: geochange.Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk_space, "EARLY_PX", 1)
    soon = geochange.detect(*pair, tmp_path / "soon.gpkg", **{**OPTIONS, **options})
    assert soon.raster.read_bytes() == late.raster.read_bytes()
    assert (soon.polygons, soon.seen_px) == (late.polygons, late.seen_px)
    assert late.polygons > 0 and not threads()


class Breaking:
    """Finds nothing in the first tiles, then fails."""

    bands = 3
    threshold = 0.5

    def __init__(self) -> None:
        self.left = 12

    def fit(self, sample: Any) -> dict[str, Any]:
        return {}

    def adopt(self, statistics: Any) -> None:
        """Does nothing."""

    def change_logits(self, batch: Batch) -> torch.Tensor:
        self.left -= len(batch)
        if self.left < 0:
            raise RuntimeError("no more")
        return torch.zeros(batch.valid.shape)


@pytest.mark.usefixtures("early")
def test_a_run_that_breaks_leaves_no_raster(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "changes.gpkg"
    model = f"{__name__}:Breaking"
    with pytest.raises(Exception, match="no more"):
        geochange.detect(*pair, out, **{**OPTIONS, "model": model, "batch": 1, "threads": 1})
    assert [path.name for path in tmp_path.iterdir()] == [".changes.gpkg.work"]
    assert not list(tmp_path.glob(".changes.gpkg.work/*.tif")) and not threads()


@pytest.mark.usefixtures("early")
def test_what_cannot_be_written_ends_the_run_at_once(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(blocks: Any, *_: Any) -> None:
        next(blocks)
        raise OutputError("cannot write it: check the free space there")

    seen: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(raster_writer, "write_cog", refuse)
        with pytest.raises(RunError, match="check the free space there"):
            geochange.detect(
                *pair,
                tmp_path / "changes.gpkg",
                progress=lambda stage, done, total: seen.append(done) if stage == "infer" else None,
                **{**OPTIONS, "threads": 1},
            )
    assert seen[-1] < 320**2
    again = geochange.detect(*pair, tmp_path / "changes.gpkg", **OPTIONS)
    assert again.resumed and again.polygons > 0
