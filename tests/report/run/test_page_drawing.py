"""The pictures of the page are the same whoever draws them, and a lost raster leaves none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geochange.grid.grid import to_ground
from geochange.inputs.open_pair import PairOptions, open_pair
from geochange.raster.pair import RasterPair
from geochange.report.page import PagePictures
from geochange.report.run.page_drawing import PageDrawing


@pytest.fixture
def pair(pair_paths: tuple[Path, Path]) -> RasterPair:
    return open_pair(*pair_paths, PairOptions())[0]


def batches(pair: RasterPair) -> list[gpd.GeoDataFrame]:
    boxes = to_ground(
        shapely.box([8, 1, 20], [5, 1, 12], [14, 4, 26], [10, 3, 19]), pair.grid.transform
    )
    changes = gpd.GeoDataFrame(
        {"confidence_mean": [0.9, 0.6, 0.8]}, geometry=boxes, crs=pair.grid.crs
    )
    return [changes[:1], changes[1:]]


def drawn(pair: RasterPair, pool: ThreadPoolExecutor | None) -> PagePictures | None:
    drawing = PageDrawing(pair, lambda: None)
    if pool is not None:
        drawing.work_beside(pool)
    for batch in batches(pair):
        drawing.add(batch)
    drawing.begin_pictures(batches(pair)[1])
    return drawing.pictures(300.0)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_picture(pair: RasterPair, threads: int) -> None:
    alone = drawn(pair, None)
    with ThreadPoolExecutor(threads) as pool:
        assert drawn(pair, pool) == alone
    assert alone is not None
    assert len(alone.top) == 2
    assert alone.top[0] != alone.top[1]


def test_every_batch_is_in_the_scene(pair: RasterPair) -> None:
    drawing = PageDrawing(pair, lambda: None)
    with ThreadPoolExecutor(1) as pool:
        drawing.work_beside(pool)
        for batch in batches(pair):
            drawing.add(batch)
        drawing.begin_pictures(None)
        assert drawing.pictures(300.0) is not None
    alpha = np.asarray(drawing.changes.overlay.drawn())[..., 3]
    rows, cols = (side / whole for side, whole in zip(alpha.shape, (20, 30), strict=True))
    for row, col in ((7, 11), (2, 2), (15, 23)):
        assert alpha[int(row * rows), int(col * cols)] > 0


def test_a_raster_that_is_gone_leaves_no_picture(
    pair: RasterPair, pair_paths: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    pair_paths[1].unlink()
    with ThreadPoolExecutor(2) as pool:
        assert drawn(pair, pool) is None
    assert "the report has no pictures" in caplog.text
