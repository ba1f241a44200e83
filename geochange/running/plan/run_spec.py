"""RunSpec: everything that the tasks of a run need, and the stores that they share."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from geochange.grid.tiling import TilePlan
from geochange.inputs.inspection import Inspection
from geochange.models import ModelSpec
from geochange.models.protocol import ALWAYS_NAME, NamingRule
from geochange.mosaic.checked_array import CheckedArray
from geochange.mosaic.stores import LandStore, LogitStore, ProbabilityStore, ScoreStore
from geochange.raster.access.unreadable_areas import (
    NOTHING_UNREADABLE,
    UnreadableAreas,
)
from geochange.raster.pair import RasterPair
from geochange.raster.scene.radiometry import Radiometry
from geochange.running.confidence import UNSTATED, Confidence
from geochange.running.plan.active_tiles import ActiveTiles, area_of, store_area
from geochange.running.read_failures import FailureRecords
from geochange.running.thumbnails import ThumbnailStores
from geochange.storage.work_store import WorkStore


@dataclass(frozen=True)
class RunSpec:
    """Everything that the tasks of a run need. It is sent to the workers, so it is small.

    batch: the largest batch; None lets each worker measure it. level: the smallest byte of probability
    that is change. classes: the names that the model scores by tile. land: its land classes by pixel.
    colours: of these, by name. naming: when a name of a tile is assigned. confidence: of polygons.
    skip_unreadable: whether unreadable pixels are nodata; otherwise their block fails. unsampled: their
    areas in the scene sample. area: the digest of the processed area, kept with the work; None for all.
    folder: where the work is kept. checks: the inspection of the pair. picture_px: the longer side of
    the thumbnails of a run; None for none. least_px: regions of fewer pixels are never written. run: a
    unique id of this run.
    """

    pair: RasterPair
    plan: TilePlan
    radiometry: Radiometry
    spec: ModelSpec
    taper: str
    batch: int | None
    level: int
    folder: WorkStore
    classes: tuple[str, ...] = ()
    land: tuple[str, ...] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    naming: NamingRule = ALWAYS_NAME
    confidence: Confidence = UNSTATED
    skip_unreadable: bool = False
    unsampled: UnreadableAreas = NOTHING_UNREADABLE
    area: str | None = None
    checks: Inspection | None = None
    picture_px: int | None = None
    least_px: int = 0
    run: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)

    @property
    def stores_land(self) -> bool:
        """Whether land classes come with the logits; else they are seen where polygons need them."""
        return bool(self.land) and (not self.spec.without_torch or bool(self.spec.prompting.only))

    @property
    def active_tiles(self) -> ActiveTiles:
        """The processed part of the plan."""
        return ActiveTiles(
            self.plan, None if self.area is None else area_of(self.area, self.folder)
        )

    @property
    def logits(self) -> LogitStore:
        """Logits by tile."""
        return LogitStore(self.folder, self.plan)

    @property
    def scores(self) -> ScoreStore:
        """Class scores by tile; not used by models without class names."""
        return ScoreStore(self.folder, self.plan, self.classes)

    @property
    def land_store(self) -> LandStore:
        """Land classes of each pixel, by tile; not used by models without them."""
        return LandStore(self.folder, self.plan)

    @property
    def pictures(self) -> ThumbnailStores | None:
        """Thumbnails of both dates, for the report."""
        if self.picture_px is None:
            return None
        return ThumbnailStores(self.pair, self.plan, self.folder, self.picture_px)

    def create_stores(self, resumed: bool = False) -> RunSpec:
        """Create all stores of the tasks. Intact work of an earlier run stays.

        resumed: no thumbnails are made if the earlier run has made none. Returns the run with what it
        makes.
        """
        pictures = self.pictures
        if resumed and pictures is not None and not pictures.are_created():
            pictures = None
        for array in self._arrays:
            array.create()
        if pictures is not None:
            pictures.create()
        if self.area is not None:
            store_area(self.area, self.folder)
        return self if pictures is not None else replace(self, picture_px=None)

    @property
    def _arrays(self) -> list[CheckedArray]:
        arrays = [self.logits.array, self.probability.array]
        arrays += [self.scores.array] if self.classes else []
        return arrays + ([self.land_store.array] if self.stores_land else [])

    @property
    def records(self) -> FailureRecords:
        """The unreadable areas of blocks of tiles."""
        return FailureRecords(self.folder)

    @property
    def probability(self) -> ProbabilityStore:
        """Probability by pixel."""
        return ProbabilityStore(self.folder, self.plan)
