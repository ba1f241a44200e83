"""The pair behind a file of changes, opened again on the grid of its run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geochange.errors import InputError
from geochange.files.archives import file_on_disk
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair, on_grid
from geochange.raster.reader import RasterInfo
from geochange.raster.sources.resolve import PathLike, inspect_source
from geochange.vector.comparison_grid import grid_of_run
from geochange.vector.files.polygon_reader import Layer, find_layer
from geochange.vector.files.run_record import read_record

Rasters = tuple[PathLike | None, PathLike | None]
"""Before and after as the user names them; None takes those of the record."""


@dataclass(frozen=True)
class RunOrigin:
    """A file of changes with the record of its run; the record is empty where there is none."""

    layer: Layer
    record: dict[str, str]

    @classmethod
    def of(cls, path: Path) -> RunOrigin:
        """Read the record. Raises InputError where the file holds no polygons."""
        return cls(find_layer(path), read_record(path))

    def json_value(self, key: str) -> dict[str, Any]:
        """The JSON value of a key of the record; empty where it is missing."""
        try:
            found = json.loads(self.record.get(key) or "{}")
        except json.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def pair(self, rasters: Rasters) -> RasterPair:
        """Both dates. Raises InputError, with its cure, where a raster has moved."""
        before, after = (
            self._raster(name, given)
            for name, given in zip(("before", "after"), rasters, strict=True)
        )
        bands = self._bands(before, after)
        grid = grid_of_run(self.layer.path)
        if grid is None:
            return align_pair(before, after, "before", bands)
        pair = on_grid(before, after, grid, bands)
        shift_px = self.json_value("checks").get("coregistered_px")
        return pair.coregistered((shift_px[0], shift_px[1])) if shift_px else pair

    def _raster(self, name: str, given: PathLike | None) -> RasterInfo:
        return self._with_fills_masked(name, self._inspected(name, given))

    def _with_fills_masked(self, name: str, info: RasterInfo) -> RasterInfo:
        """The raster with what the run took for nodata in it."""
        told = self.json_value("fills").get(name)
        fills = told if isinstance(told, dict) else {}
        return info.with_fills({int(band): tuple(values) for band, values in fills.items()})

    def _inspected(self, name: str, given: PathLike | None) -> RasterInfo:
        path = self.layer.path
        if given is not None:
            return inspect_source(given)
        told = self.record.get(name)
        if not told:
            raise InputError(f"{path}: does not record its rasters; name them (--before, --after)")
        try:
            return inspect_source(told)
        except InputError as error:
            gone = Path(told).is_absolute() and not file_on_disk(told).exists()
            fault = f"{told} is no longer there" if gone else str(error)
            raise InputError(f"{path}: {fault}; name it with --{name} FILE") from error

    def _bands(self, before: RasterInfo, after: RasterInfo) -> Bands:
        told = self.record.get("bands_before"), self.record.get("bands_after")
        if not all(told):
            return Bands.default(before, after, None)
        return Bands.parse(":".join(map(str, told)))
