"""Origin: the pair that a file of changes was made of, opened again on the grid of its run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geochange.errors import InputError
from geochange.files.archives import file_behind
from geochange.raster.bands import Bands
from geochange.raster.pair import Pair, align, on_grid
from geochange.raster.reader import RasterInfo
from geochange.raster.sources.resolve import PathLike, inspect_source
from geochange.vector.comparison_grid import run_grid
from geochange.vector.files.polygon_reader import Layer, find_layer
from geochange.vector.files.run_record import read_record

Rasters = tuple[PathLike | None, PathLike | None]
"""Before and after where the user names them; None where the file of changes does."""


@dataclass(frozen=True)
class Origin:
    """A file of changes, and the record of the run that wrote it; empty where it has none."""

    layer: Layer
    record: dict[str, str]

    @classmethod
    def of(cls, path: Path) -> Origin:
        """Raises InputError where the file is none of polygons."""
        return cls(find_layer(path), read_record(path))

    def told(self, key: str) -> dict[str, Any]:
        """What the record holds under a name, as JSON; nothing where it holds nothing."""
        try:
            found = json.loads(self.record.get(key) or "{}")
        except json.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def pair(self, rasters: Rasters) -> Pair:
        """Both dates. Raises InputError where a raster is not where it was, with its cure."""
        before, after = (
            self._raster(name, given)
            for name, given in zip(("before", "after"), rasters, strict=True)
        )
        bands = self._bands(before, after)
        grid = run_grid(self.layer.path)
        if grid is None:
            return align(before, after, "before", bands)
        pair = on_grid(before, after, grid, bands)
        shift_px = self.told("checks").get("coregistered_px")
        return pair.coregistered((shift_px[0], shift_px[1])) if shift_px else pair

    def _raster(self, name: str, given: PathLike | None) -> RasterInfo:
        path = self.layer.path
        if given is not None:
            return inspect_source(given)
        told = self.record.get(name)
        if not told:
            raise InputError(
                f"{path}: does not say which rasters it was made of; name them (--before, --after)"
            )
        try:
            return inspect_source(told)
        except InputError as error:
            gone = Path(told).is_absolute() and not file_behind(told).exists()
            fault = f"{told} is no longer there" if gone else str(error)
            raise InputError(f"{path}: {fault}; say where it is (--{name} FILE)") from error

    def _bands(self, before: RasterInfo, after: RasterInfo) -> Bands:
        told = self.record.get("bands_before"), self.record.get("bands_after")
        if not all(told):
            return Bands.default(before, after, None)
        return Bands.parse(":".join(map(str, told)))
