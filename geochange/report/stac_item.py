"""A STAC Item for the outputs of a run, by pystac."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pystac
from pystac.extensions.projection import ProjectionExtension

from geochange.files.archives import file_on_disk
from geochange.raster.sources.tile_set import is_tileset
from geochange.report.facts import Facts, Source

MEDIA_TYPES = {
    ".gpkg": pystac.MediaType.GEOPACKAGE,
    ".geojson": pystac.MediaType.GEOJSON,
    ".fgb": pystac.MediaType.FLATGEOBUF,
    ".parquet": pystac.MediaType.PARQUET,
    ".tif": pystac.MediaType.COG,
    ".html": pystac.MediaType.HTML,
    ".json": pystac.MediaType.JSON,
}

ROLES = {"changes": ["data"], "probability": ["data"], "report": ["overview", "metadata"]}
TITLES = {
    "changes": "Polygons of change",
    "probability": "Probability of change, 0 to 254 = 0 to 100 %",
    "report": "What changed, for people to read",
}


@dataclass(frozen=True)
class Footprint:
    """The location of the outputs, in lon/lat and on their grid.

    geometry: GeoJSON, or None. bbox: west, south, east, north. code: such as EPSG:32632, or None.
    wkt: the full CRS. transform: six numbers, row by row.
    """

    geometry: dict[str, Any] | None
    bbox: list[float] | None
    code: str | None
    wkt: str
    transform: list[float]
    shape: tuple[int, int]


def item_of(facts: Facts, footprint: Footprint, assets: dict[str, str]) -> dict[str, Any]:
    """The Item as plain JSON. assets: file names beside it, by the keys of ROLES."""
    when, span, how = _moments(facts)
    properties = {
        "title": f"Changes in {facts.title}",
        "description": f"What changed between {facts.before.path} and {facts.after.path}. {how}",
        "created": _at(facts.finished),
        "geochange:version": facts.versions.get("geochange", ""),
        "geochange:model": facts.model,
        "geochange:polygons": facts.polygons,
        "geochange:changed_m2": facts.changed_m2,
    }
    item = pystac.Item(
        _id(facts, footprint),
        footprint.geometry,
        footprint.bbox,
        when,
        properties,
        start_datetime=span and span[0],
        end_datetime=span and span[1],
    )
    _project(item, footprint)
    for key, name in assets.items():
        item.add_asset(key, _asset(key, name))
    for source in (facts.before, facts.after):
        for address in _addresses(source):
            item.add_link(pystac.Link("via", address))
    return item.to_dict(include_self_link=False, transform_hrefs=False)


def _id(facts: Facts, footprint: Footprint) -> str:
    """An id that depends on the pair and the name of the output."""
    words = f"{facts.before.path}\n{facts.after.path}\n{footprint.transform}\n{footprint.shape}"
    return f"{Path(facts.title).stem}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def _project(item: pystac.Item, footprint: Footprint) -> None:
    projection = ProjectionExtension.ext(item, add_if_missing=True)
    projection.apply(
        code=footprint.code,
        wkt2=None if footprint.code else footprint.wkt,
        shape=list(footprint.shape),
        transform=footprint.transform,
    )


def _asset(key: str, name: str) -> pystac.Asset:
    suffix = Path(name).suffix.lower()
    extra = {"bands": [{"name": "change", "data_type": "uint8", "nodata": 255}]}
    return pystac.Asset(
        f"./{quote(name)}",
        TITLES[key],
        media_type=MEDIA_TYPES[suffix],
        roles=ROLES[key],
        extra_fields=extra if key == "probability" else None,
    )


Span = tuple[datetime, datetime]


def _moments(facts: Facts) -> tuple[datetime | None, Span | None, str]:
    """The item's datetime, or its start and end, and a sentence where they need explaining.

    STAC requires one of them, whatever is known.
    """
    dates = [_span(source) for source in (facts.before, facts.after)]
    spans = [span for span in dates if span is not None]
    if len(spans) == 2:
        return None, (min(s[0] for s in spans), max(s[1] for s in spans)), ""
    made = _moment(facts.finished)
    if spans:
        which = "before" if dates[0] else "after"
        return spans[0][0], None, f"Only the date {which} is known; it is the datetime."
    return (
        made,
        None,
        "The dates of the pictures are not known; datetime is when they were compared.",
    )


def _span(source: Source) -> Span | None:
    """The interval in which a picture was taken: a moment, or a day."""
    try:
        moment = datetime.fromisoformat(source.date or "")
    except ValueError:
        return None
    if len((source.date or "").strip()) > len("2014-08-10"):
        return _utc(moment), _utc(moment)
    return _utc(moment), _utc(datetime.combine(moment.date(), time(23, 59, 59)))


def _moment(text: str) -> datetime:
    return _utc(datetime.fromisoformat(text))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _at(text: str) -> str:
    return _moment(text).strftime("%Y-%m-%dT%H:%M:%SZ")


def _addresses(source: Source) -> list[str]:
    """The URLs of its rasters; tile sets named by a pattern have none."""
    single = [part for part in source.parts if not is_tileset(part)]
    paths = [(part, file_on_disk(part)) for part in single]
    return [path.as_uri() if path.is_absolute() else quote(part, ":/?&=%") for part, path in paths]
