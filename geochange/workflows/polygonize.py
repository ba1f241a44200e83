"""The workflow of `polygonize`: polygons from the probability raster of an earlier run."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import geopandas as gpd

from geochange.config import OutlineOptions, PolygonizeOptions
from geochange.errors import InputError, OptionError
from geochange.files.output_paths import lock_output, output_path
from geochange.grid.probability_bytes import MAX_BYTE, threshold_byte
from geochange.progress import Progress, no_progress
from geochange.raster.output.earlier_probability import ProbabilityRaster
from geochange.raster.sources.resolve import PathLike, source_of
from geochange.running.confidence import Confidence, recorded_confidence
from geochange.running.plan.disk_space import as_disk_full_error
from geochange.running.provenance import StageClock, version_and_time
from geochange.vector.changes import ChangeTotals, to_changes
from geochange.vector.files.formats import exists, is_vector
from geochange.vector.files.overwrite import refuse_foreign, refuse_reviewed
from geochange.vector.files.run_record import read_record
from geochange.vector.files.writers import check_output, write_batches
from geochange.vector.generalization.outline_style import outline_style_for
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.region_file import RegionFile, RegionFileWriter
from geochange.vector.tracing.regions import trace_regions

logger = logging.getLogger(__name__)

DEFAULT_THRESHOLD = 0.5
"""The default threshold if neither the user nor the record of the run gives one."""


@dataclass(frozen=True)
class Polygonized:
    """The file of polygons and its figures; see `Result` of a run."""

    out: Path
    polygons: int
    changed_m2: float
    threshold: float
    seconds: float


def polygonize(
    raster: PathLike, out: PathLike | None = None, progress: Progress = no_progress, **options: Any
) -> Polygonized:
    """Trace the polygons of a run again with other options, without its network.

    raster: the probability raster of a run. out: None writes beside it, with the threshold in the name.
    options: the fields of PolygonizeOptions. The same options give the same polygons as the run. The
    raster does not hold the class names from CLIP, so these attributes are null.

    Raises InputError, OptionError or OutputError.
    """
    wanted = PolygonizeOptions.parse(options)
    clock = StageClock()
    source = _open(raster)
    record = _record_beside(source, wanted)
    chosen = _threshold(wanted, record)
    sure = recorded_confidence(record, wanted.min_confidence)
    path = _out_path(source, out, chosen)
    check_output(path)
    refuse_foreign(path, wanted.overwrite)
    refuse_reviewed(path, wanted.overwrite)
    lowest = threshold_byte(chosen)
    record |= _changed_record(record, wanted, source, lowest)
    with (
        lock_output(path),
        as_disk_full_error(path.parent),
        tempfile.TemporaryFile(dir=path.parent) as outlines,
    ):
        shelf = _trace(source, lowest, cast(BinaryIO, outlines), progress)
        drawn = _drawn(source, shelf, wanted, sure)
        tally = _write(drawn, path, record | sure.record() | version_and_time(clock))
    return Polygonized(path, tally.polygons, tally.changed_m2, chosen, clock.seconds())


def _threshold(options: PolygonizeOptions, record: Mapping[str, str]) -> float:
    if options.threshold is not None:
        return options.threshold
    told = record.get("probability_level", "")
    return int(told) / MAX_BYTE if told.isdecimal() else DEFAULT_THRESHOLD


def _out_path(source: ProbabilityRaster, out: PathLike | None, threshold: float) -> Path:
    if out is not None:
        return output_path(out)
    if not Path(source.path).exists():
        raise OptionError("--out: needed where the raster lies on a server or in an archive")
    # The name differs from that of the run's own file, which may hold reviews.
    beside = Path(source.path)
    return beside.with_name(f"{beside.stem}-{threshold:.3g}.gpkg")


def _open(raster: PathLike) -> ProbabilityRaster:
    try:
        return ProbabilityRaster.of(source_of(raster))
    except InputError as error:
        path = Path(os.fspath(raster))
        if not is_vector(path) or not exists(path):
            raise
        raise InputError(
            f"{path}: holds polygons; give the probability of the run, {path.with_suffix('.tif').name}"
        ) from error


def _record_beside(source: ProbabilityRaster, options: PolygonizeOptions) -> dict[str, str]:
    """The record of the run that wrote the raster, if its polygons still lie beside the raster.

    Raises InputError if the record cannot be read and the threshold of the run is needed.
    """
    for suffix in (".gpkg", ".geojson", ".fgb"):
        beside = Path(os.fspath(source.path)).with_suffix(suffix)
        if not beside.is_file():
            continue
        try:
            record = read_record(beside)
        except InputError as error:
            if options.threshold is None:
                raise InputError(
                    f"{error}; or give --threshold, as that of the run is not known"
                ) from error
            logger.warning("%s; its record of the run is not used", error)
            continue
        if record.get("shape") == json.dumps(source.grid.shape):
            return record
    return {}


def _changed_record(
    record: Mapping[str, str], options: OutlineOptions, source: ProbabilityRaster, lowest: int
) -> dict[str, str]:
    """The entries of the record that differ from the run."""
    before = json.loads(record.get("options", "{}"))
    return {
        "probability": source.path,
        "crs": source.grid.crs.to_string(),
        "transform": json.dumps(list(source.grid.transform)[:6]),
        "shape": json.dumps(source.grid.shape),
        "options": json.dumps(before | options.model_dump(mode="json")),
        "probability_level": str(lowest),
    }


def _trace(
    source: ProbabilityRaster, lowest: int, outlines: BinaryIO, progress: Progress
) -> RegionFile:
    """The regions of the whole raster, joined across its blocks."""
    joiner, spill = RegionJoiner(source.grid.shape), RegionFileWriter(outlines)
    total, done = source.grid.full_window.pixels, 0
    for window, pixels in source.blocks():
        spill.put(joiner.add(trace_regions(pixels, window, lowest, source.grid.shape[1])))
        done += window.pixels
        progress("polygons", done, total)
    return spill.finish(joiner.finish())


def _drawn(
    source: ProbabilityRaster, shelf: RegionFile, options: OutlineOptions, sure: Confidence
) -> Iterator[gpd.GeoDataFrame]:
    pen = outline_style_for(source.grid, options.simplify, options.smooth, options.orthogonal)
    return to_changes(shelf, source.grid, pen, options.min_area, sure=sure.filter())


def _write(
    changes: Iterator[gpd.GeoDataFrame], path: Path, record: Mapping[str, str]
) -> ChangeTotals:
    tally = ChangeTotals()
    write_batches(tally.of(changes), path, record)
    return tally
