"""Thumbnails of both dates, made from the pixels that inference reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Index, TilePlan, Window
from geochange.mosaic.checked_array import DamagedStoreError
from geochange.mosaic.stores import ThumbnailStore
from geochange.raster.cell_grid import PixelsAndMask
from geochange.raster.pair import RasterPair
from geochange.raster.pictures.thumbnail import (
    SHOWN_BANDS,
    Thumbnail,
    ThumbnailBuilder,
    ThumbnailPixels,
)
from geochange.raster.warped_raster import WarpedRaster
from geochange.storage.work_store import WorkStore


@dataclass(frozen=True)
class ThumbnailStores:
    """The thumbnails of a run, in its work."""

    pair: RasterPair
    plan: TilePlan
    folder: WorkStore
    longest: int

    @property
    def stores(self) -> tuple[ThumbnailStore, ThumbnailStore]:
        """The stores of the date before and of the date after."""
        miniature = Thumbnail(self.plan.shape, self.longest)
        before, after = (
            ThumbnailStore(self.folder, name, self.plan, miniature, _pixel_template(date))
            for name, date in (("before", self.pair.before), ("after", self.pair.after))
        )
        return before, after

    def create(self) -> None:
        """Create the stores. Existing chunks stay."""
        for store in self.stores:
            store.array.create()

    def are_created(self) -> bool:
        """Whether an earlier run has created the stores."""
        return all(store.array.is_created() for store in self.stores)

    def of(self, block: Index) -> BlockThumbnails:
        """Start the thumbnails of a block of tiles."""
        return BlockThumbnails(self, block)

    def get(self, blocks: Iterable[Index]) -> tuple[ThumbnailPixels, ThumbnailPixels] | None:
        """The thumbnails of both dates; None if cells are missing.

        An earlier run may have made none, or cells were lost. blocks: the processed blocks.
        """
        before, after = self.stores
        worked = list(blocks)
        try:
            return before.get(worked), after.get(worked)
        except DamagedStoreError:
            return None


def _pixel_template(date: WarpedRaster) -> NDArray[Any]:
    return np.empty(min(SHOWN_BANDS, len(date.bands)), date.dtype)


class BlockThumbnails:
    """The thumbnails of a block of tiles at both dates."""

    def __init__(self, pictures: ThumbnailStores, block: Index) -> None:
        self.stores, self.block = pictures.stores, block
        window = pictures.plan.owned_window(block)
        self.parts = [
            ThumbnailBuilder(store.thumbnail, store.thumbnail.owned(window), store.template)
            for store in self.stores
        ]

    def add(self, window: Window, before: PixelsAndMask, after: PixelsAndMask) -> None:
        """Add a window of both dates."""
        for part, (pixels, valid) in zip(self.parts, (before, after), strict=True):
            part.add(window, pixels, valid)

    def keep(self) -> None:
        """Store them in the work of the run."""
        for store, part in zip(self.stores, self.parts, strict=True):
            store.put(self.block, part.values())
