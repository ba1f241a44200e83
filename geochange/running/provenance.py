"""Provenance: the record of a run for the user, and its fingerprint for a later run."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from geochange import __version__
from geochange.errors import RunError
from geochange.files.file_names import without_secrets
from geochange.inputs.prepared_run import CheckedRun
from geochange.raster.access.unreadable_areas import NOTHING_UNREADABLE, UnreadableAreas
from geochange.raster.fingerprint import fingerprint_of
from geochange.raster.pair import RasterPair
from geochange.running.plan.run_spec import RunSpec
from geochange.running.work_folder import STORE_FORMAT_KEY
from geochange.vector.files.class_colours import CLASS_COLOURS

PACKAGES = ("torch", "rasterio", "shapely", "geopandas", "dask", "zarr", "numpy")


@dataclass(frozen=True)
class StageClock:
    """The start of a run, and the seconds of its stages."""

    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    ticks: float = field(default_factory=time.monotonic)
    stages: dict[str, float] = field(default_factory=dict)

    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.ticks

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of the run."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.add(name, time.monotonic() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add seconds to a stage."""
        self.stages[name] = self.stages.get(name, 0.0) + seconds


def fingerprint(work: RunSpec) -> dict[str, Any]:
    """Everything that logits and probabilities of a run depend on, as values for JSON."""
    return {
        "geochange": __version__,
        STORE_FORMAT_KEY: "crc32c",
        "inputs": inputs(work.pair),
        "bands": [work.pair.before.bands, work.pair.after.bands],
        "crs": work.pair.grid.crs.to_wkt(),
        "transform": list(work.pair.grid.transform)[:6],
        "shape": work.plan.shape,
        "tiles": [work.plan.tile_px, work.plan.overlap_px, work.plan.block_tiles],
        "shift_px": [work.pair.before.shift_px, work.pair.after.shift_px],
        "area": work.area,
        "taper": work.taper,
        "radiometry": repr(work.radiometry),
        "model": work.spec.key(),
    }


def inputs(pair: RasterPair) -> list[list[Any]]:
    """The state of the rasters of a pair; see `fingerprint_of`."""
    return [fingerprint_of(date.info) for date in (pair.before, pair.after)]


def refuse_changed_inputs(pair: RasterPair, began: list[list[Any]]) -> None:
    """Raise RunError if an input changed since the run began."""
    for date, then, now in zip((pair.before, pair.after), began, inputs(pair), strict=True):
        if then != now:
            raise RunError(
                f"{without_secrets(date.info.path)}: changed while the run read it, so nothing is "
                "written; give the same command when it is left alone, which starts afresh"
            )


def fills(pair: RasterPair) -> dict[str, dict[int, tuple[float, ...]]]:
    """Fills that were treated as nodata, by date and 1-based band."""
    return {
        name: {i: band.fills for i, band in enumerate(date.info.bands, 1) if band.fills}
        for name, date in (("before", pair.before), ("after", pair.after))
    }


def record(
    checked: CheckedRun,
    work: RunSpec,
    clock: StageClock,
    unreadable: UnreadableAreas = NOTHING_UNREADABLE,
) -> dict[str, str]:
    """The record of the run as names and values, for the metadata of the outputs."""
    return {
        "before": without_secrets(work.pair.before.info.path),
        "after": without_secrets(work.pair.after.info.path),
        "bands_before": ",".join(map(str, work.pair.before.bands)),
        "bands_after": ",".join(map(str, work.pair.after.bands)),
        "crs": work.pair.grid.crs.to_string(),
        "transform": json.dumps(list(work.pair.grid.transform)[:6]),
        "shape": json.dumps(work.plan.shape),
        "options": checked.options.model_dump_json(),
        "fills": json.dumps(fills(work.pair)),
        "probability_level": str(work.level),
        **work.confidence.record(),
        **({CLASS_COLOURS: json.dumps(dict(work.colours))} if work.colours else {}),
        "radiometry": repr(work.radiometry),
        "checks": json.dumps(None if work.checks is None else work.checks.to_json()),
        "unreadable": json.dumps(unreadable.merged().to_json()),
        "unsampled": json.dumps(work.unsampled.merged().to_json()),
        "model": work.spec.name,
        "model_sha256": work.spec.sha256,
        "prompting": json.dumps(vars(work.spec.prompting)),
        "model_statistics": json.dumps(dict(work.spec.statistics), sort_keys=True),
        "device": work.spec.device,
        "engine": work.spec.prompting.engine,
        **version_and_time(clock),
    }


def version_and_time(clock: StageClock) -> dict[str, str]:
    """The version and the time."""
    return {
        "geochange": __version__,
        "python": platform.python_version(),
        "versions": _versions(),
        "started": clock.began.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": f"{clock.seconds():.1f}",
    }


@cache
def _versions() -> str:
    """The version of each of PACKAGES, as JSON. Reading their metadata takes long for a small run."""
    return json.dumps({name: importlib.metadata.version(name) for name in PACKAGES})
