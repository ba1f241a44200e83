"""The workflow of `demo`: makes a pair with known changes, runs on it, and compares the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from pyproj import CRS

from geochange.errors import OutputError
from geochange.files.atomic import as_output_error, atomic_driver_path
from geochange.files.output_paths import make_folder, output_path
from geochange.files.report_files import PROBE_BYTES
from geochange.grid.grid import Grid, to_ground
from geochange.landscape import PIXEL_M, Landscape, PlantedChange, make_landscape
from geochange.progress import Progress, no_progress
from geochange.raster.pictures.image import write_picture
from geochange.raster.sources.resolve import PathLike
from geochange.vector.files.ogr_name import ogr_name
from geochange.vector.files.polygon_reader import UNREADABLE
from geochange.workflows.detect import Result, detect

ORIGIN_M = (691_000.0, 5_335_000.0)
"""(east, north) in UTM zone 32N of the synthetic land. It shows no real place."""

BEFORE, AFTER, PLANTED = "before.tif", "after.tif", "planted.geojson"
"""The files that the demo writes before its run."""

DEMO_MARK = "made by geochange demo"

MIN_FOUND_SHARE = 0.3
"""A planted change is found if polygons cover at least this share of its area."""


@dataclass(frozen=True)
class Score:
    """How many planted changes of one kind were found.

    covered: share of their area under polygons.
    """

    kind: str
    planted: int
    found: int
    covered: float


@dataclass(frozen=True)
class DemoPair:
    """The files of a synthetic pair, and the outlines of its changes with their `kind`."""

    before: Path
    after: Path
    planted: Path


@dataclass(frozen=True)
class DemoResult:
    """The synthetic pair, the run on it, and its scores.

    true_share: share of the polygons' area that lies on planted changes.
    """

    before: Path
    after: Path
    result: Result
    scores: tuple[Score, ...]
    true_share: float


def run_demo(
    folder: Path, size: int = 1536, seed: int = 7, progress: Progress = no_progress
) -> DemoResult:
    """Write before.tif, after.tif and planted.geojson into `folder`, run on them, and score.

    Raises OutputError if the folder cannot be made, or if it holds such files that no demo wrote.
    """
    pair, landscape, planted = _write_pair(folder, size, seed)
    result = detect(pair.before, pair.after, pair.before.with_name("changes.gpkg"), progress)
    found = shapely.union_all(np.asarray(result.changes.geometry))
    return DemoResult(
        pair.before,
        pair.after,
        result,
        _scores(landscape.planted, planted, found),
        _true_share(planted, found),
    )


def make_demo_pair(folder: PathLike, size: int = 1536, seed: int = 7) -> DemoPair:
    """Write a synthetic pair with known changes: before.tif, after.tif, planted.geojson.

    The pictures show a made-up village at two dates, 0.5 m a pixel. size: pixels a side. seed: which
    village. Raises OutputError if the folder cannot be made, or if it holds such files that no demo
    wrote.
    """
    return _write_pair(folder, size, seed)[0]


def _write_pair(
    folder: PathLike, size: int, seed: int
) -> tuple[DemoPair, Landscape, gpd.GeoDataFrame]:
    """The files, the landscape that they show, and its planted changes on the ground."""
    folder = prepare_folder(folder)
    landscape = make_landscape(size, seed)
    grid = _grid(size)
    pair = DemoPair(folder / BEFORE, folder / AFTER, folder / PLANTED)
    write_picture(pair.before, landscape.before, grid)
    write_picture(pair.after, landscape.after, grid)
    planted = _planted(landscape, grid)
    _write_planted(pair.planted, planted)
    return pair, landscape, planted


def prepare_folder(folder: PathLike) -> Path:
    """The folder of a demo, made where it is missing. Raises OutputError as `run_demo` does."""
    folder = output_path(folder)
    _check_folder(folder)
    make_folder(folder)
    return folder


def _check_folder(folder: Path) -> None:
    """Refuse to overwrite files that no demo wrote. Raises OutputError."""
    try:
        ours = DEMO_MARK in (folder / PLANTED).read_text("utf-8", "replace")[:PROBE_BYTES]
    except OSError:
        ours = False
    for name in (BEFORE, AFTER, PLANTED):
        if (folder / name).exists() and not ours:
            raise OutputError(
                f"{folder / name}: exists and was not written by a demo; choose another --out"
            )


def _write_planted(path: Path, planted: gpd.GeoDataFrame) -> None:
    with (
        as_output_error(path, UNREADABLE),
        atomic_driver_path(path) as part,
        ogr_name(part) as name,
    ):
        planted.to_file(name, driver="GeoJSON", layer="planted", DESCRIPTION=DEMO_MARK)


def _grid(size: int) -> Grid:
    transform = Affine.translation(*ORIGIN_M) @ Affine.scale(PIXEL_M, -PIXEL_M)
    return Grid(CRS.from_epsg(32632), transform, (size, size))


def _planted(landscape: Landscape, grid: Grid) -> gpd.GeoDataFrame:
    outlines = [to_ground(change.outline, grid.transform) for change in landscape.planted]
    kinds = [change.kind for change in landscape.planted]
    return gpd.GeoDataFrame({"kind": kinds}, geometry=outlines, crs=grid.crs)


def _scores(
    changes: Sequence[PlantedChange], planted: gpd.GeoDataFrame, found: shapely.Geometry
) -> tuple[Score, ...]:
    outlines = np.asarray(planted.geometry)
    area = shapely.area(outlines)
    covered = shapely.area(shapely.intersection(outlines, found))
    kinds = np.array([change.kind for change in changes])
    scores = []
    for kind in dict.fromkeys(kinds.tolist()):
        mine = kinds == kind
        hits = int((covered[mine] >= MIN_FOUND_SHARE * area[mine]).sum())
        share = float(covered[mine].sum() / area[mine].sum())
        scores.append(Score(kind, int(mine.sum()), hits, share))
    return tuple(scores)


def _true_share(planted: gpd.GeoDataFrame, found: shapely.Geometry) -> float:
    truth = shapely.union_all(np.asarray(planted.geometry))
    total = shapely.area(found)
    return float(shapely.area(shapely.intersection(found, truth)) / total) if total else 0.0
