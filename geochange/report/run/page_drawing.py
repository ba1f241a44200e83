"""The pictures of the page: both dates, changes drawn over them, and the surest changes from nearby."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import geopandas as gpd

from geochange.errors import RunError
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.picture_drawing import Drawn
from geochange.raster.pair import RasterPair
from geochange.raster.pictures.overview import small_shape
from geochange.report.canvas import (
    as_data_uri,
    desaturate,
    lines_as_data_uri,
    lines_over,
    resize_photo,
    scale_bar_of,
)
from geochange.report.page import PagePictures, Views, load_template
from geochange.report.run.change_drawing import ChangeDrawing, shown_shape, window_around
from geochange.report.run.picture_size import SCENE_PX
from geochange.report.run.pictures import (
    DatePhotos,
    Overviews,
    PictureReader,
    read_overviews,
    read_pictures,
)

logger = logging.getLogger(__name__)

CHANGE_PX = 320
"""The longer side of the picture of a single change."""

DRAWN_SCENE_PX = 800
"""The longer side of the scene with changes drawn on it, which stands beside both dates on paper."""

SCENE_LINE_PX, CHANGE_LINE_PX = 2.0, 2.5

LINE_JPEG_QUALITY = 88
"""JPEG quality of pictures with drawn lines."""

THREADS = 2
"""Pictures that are drawn at once. Scaling and compressing do without the lock of Python."""


@dataclass(frozen=True)
class DrawnPictures:
    """The scene, and the surest changes. sparse: the scene shows scattered pixels only."""

    scene: Views
    top: list[Views]
    sparse: bool


class PageDrawing:
    """Draws changes batch by batch, and at last the pictures of the page.

    Calls come in the order `add`, `begin_pictures`, `pictures`, all from one thread.
    """

    def __init__(self, pair: RasterPair, kept: Callable[[], Overviews | None]) -> None:
        """kept: gives both dates as the run read them, where they were kept."""
        self.pair, self.kept = pair, kept
        whole = pair.grid.full_window
        self.changes = ChangeDrawing(pair.grid, whole, shown_shape(whole, SCENE_PX), SCENE_LINE_PX)
        self._pool: Executor | None = None
        self._seen = self._read_scene
        self._added: Future[None] | None = None
        self._drawn: Callable[[], DrawnPictures] = partial(self._draw, None)

    def work_beside(self, pool: Executor) -> None:
        """Read and draw in the threads of a pool from now on."""
        self._pool = pool
        self._seen = pool.submit(self._read_scene).result
        pool.submit(load_template)

    def add(self, batch: gpd.GeoDataFrame) -> None:
        """Draw a batch over the scene. Only one batch waits to be drawn."""
        self._end_batch()
        if self._pool is None:
            self.changes.add(batch)
        else:
            self._added = self._pool.submit(self.changes.add, batch)

    def begin_pictures(self, top: gpd.GeoDataFrame | None) -> None:
        """Draw all pictures, of the scene and of the changes in `top`."""
        draw = partial(self._draw, top)
        self._drawn = draw if self._pool is None else self._pool.submit(draw).result

    def pictures(self, width_m: float) -> PagePictures | None:
        """The pictures of a scene of this width; None where an input can no longer be read."""
        try:
            drawn = self._drawn()
        except RunError as error:  # the outputs are complete without pictures
            logger.warning("%s; the report has no pictures", error)
            return None
        return PagePictures(drawn.scene, scale_bar_of(width_m), drawn.top, drawn.sparse)

    def _end_batch(self) -> None:
        if self._added is not None:
            self._added.result()

    def _read_scene(self) -> tuple[PictureReader, DatePhotos]:
        """The reader of the pair, and its picture of the whole scene."""
        whole = self.pair.grid.full_window
        seen = self.kept() or read_overviews(self.pair, whole, SCENE_PX)
        reader = read_pictures(self.pair, lambda: seen)
        return reader, reader.of(seen, small_shape(whole, SCENE_PX))

    def _draw(self, top: gpd.GeoDataFrame | None) -> DrawnPictures:
        reader, scene = self._seen()
        with ThreadPoolExecutor(THREADS, "draw") as pool:
            whole = pool.submit(self._scene_views, scene)
            near = [] if top is None else _close_ups(reader, top, pool)
            return DrawnPictures(whole.result(), near, scene.sparse)

    def _scene_views(self, scene: DatePhotos) -> Views:
        self._end_batch()
        lines = self.changes.overlay.drawn()
        photos = _resized(scene, self.changes.overlay.shape)
        drawn = lines_over(desaturate(photos[1]), lines)
        drawn.thumbnail((DRAWN_SCENE_PX, DRAWN_SCENE_PX))
        return _views(photos, lines, drawn)


def _close_ups(reader: PictureReader, top: gpd.GeoDataFrame, pool: Executor) -> list[Views]:
    changes = [top.iloc[[i]] for i in range(len(top))]
    grid = reader.pair.grid
    windows = [window_around(each.geometry.iloc[0], grid) for each in changes]
    photos = reader.all_at(windows, CHANGE_PX)
    return list(pool.map(partial(_close_up, grid), changes, windows, photos))


def _close_up(grid: Grid, change: gpd.GeoDataFrame, window: Window, photos: DatePhotos) -> Views:
    """One change, and what lies around it."""
    shape = shown_shape(window, CHANGE_PX)
    drawing = ChangeDrawing(grid, window, shape, CHANGE_LINE_PX, filled=False)
    drawing.add(change)
    pictures, lines = _resized(photos, shape), drawing.overlay.drawn()
    return _views(pictures, lines, lines_over(pictures[1], lines))


def _resized(photos: DatePhotos, shape: tuple[int, int]) -> tuple[Drawn, Drawn]:
    return resize_photo(photos.before, shape), resize_photo(photos.after, shape)


def _views(photos: tuple[Drawn, Drawn], lines: Drawn, drawn: Drawn) -> Views:
    before, after = map(as_data_uri, photos)
    return Views(before, after, lines_as_data_uri(lines), as_data_uri(drawn, LINE_JPEG_QUALITY))
