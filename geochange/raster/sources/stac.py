"""STAC items as inputs: JSON with the locations and the date of rasters.

Versions 1.0 and 1.1 (stacspec.org). Items come from other people. So an item may only name files on
a web server or files beside it.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin

from rasterio.errors import RasterioError

from geochange.errors import InputError, one_line
from geochange.files.file_names import expand_user, split_address
from geochange.raster.access import retry
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS, as_rasterio_errors
from geochange.raster.access.http import (
    TooLargeError,
    credentials_set,
    host_of,
    http_fetch,
    user_headers,
)
from geochange.raster.access.remote import is_remote
from geochange.raster.access.self_contained_files import holds_own_pixels
from geochange.raster.acquisition import Acquisition, parse_moment
from geochange.raster.sources.band_stack import STACK_SEPARATOR
from geochange.raster.sources.tile_set import is_tileset

logger = logging.getLogger(__name__)

LARGEST_BYTES = 5_000_000
"""Larger files are not read as items."""

LONGEST_HREF = 4096
"""The largest length of an address."""

COLOURS = ("red", "green", "blue")

RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".cog")
URL_SCHEMES = ("http", "https", "s3", "gs", "az")
"""URL schemes that an item may name."""

NO_DATA_ROLES = {"thumbnail", "overview", "metadata"}

_ADDRESS = re.compile(r"^https?://", re.IGNORECASE)
_JSON = re.compile(r"\.(geo)?json$", re.IGNORECASE)
_ANSWER = re.compile(r"/items/[^/]+$", re.IGNORECASE)
"""The end of the address of an item in a STAC API."""


@dataclass(frozen=True)
class ResolvedItem:
    """The raster of an item, or a stack of rasters, and its date."""

    path: str
    acquired: Acquisition | None


def is_item(text: str) -> bool:
    """Whether a name is that of a STAC item, with or without #ASSET.

    An existing file is an item if its suffix or its contents say so. A raster in a folder called items,
    or with a "#" in its name, is a raster.
    """
    if not _ADDRESS.match(text):
        path = os.path.expanduser(text)
        if os.path.exists(path):
            return _is_json(path)
        return _JSON.search(_split_asset_keys(text)[0]) is not None
    return _looks_like_item_url(split_address(text).path)


def _is_json(path: str) -> bool:
    if _JSON.search(path):
        return True
    if not _looks_like_item_url(os.path.abspath(path)) or not os.access(path, os.R_OK):
        return False
    with open(path, "rb") as file:
        return file.read(1) == b"{"


def _looks_like_item_url(path: str) -> bool:
    """Whether the path of an address ends like an item, and not like a raster in a folder items."""
    is_answer = _ANSWER.search(path) is not None and not path.lower().endswith(RASTERS)
    return is_answer or _JSON.search(path) is not None


def resolve_item(text: str) -> ResolvedItem:
    """The raster of an item: `item.json#KEY`, or `item.json#KEY,KEY` for a stack.

    Without a key it is the asset `visual`, else the assets red, green and blue, else the only raster.
    Raises InputError.
    """
    place, keys = _split_asset_keys(text)
    item = _read(place)
    assets = _assets(place, item)
    chosen = [key for key in keys.split(",") if key] or _choose_assets(place, assets)
    for key in chosen:
        if key not in assets:
            raise InputError(f"{place}: has no asset {key!r}; it has {_listed(assets)}")
    if not keys:
        logger.info("%s: takes %s", place, ", ".join(chosen))
    paths = [_asset_location(place, assets[key], key) for key in chosen]
    _refuse_leaking_credentials(place, paths)
    for path in paths:
        _need_own_pixels(place, path)
    return ResolvedItem(STACK_SEPARATOR.join(paths), _item_date(item))


def _refuse_leaking_credentials(place: str, paths: Sequence[str]) -> None:
    """Refuse assets on other hosts if GDAL would send them a secret. Raises InputError."""
    others = {host_of(path) for path in paths if _ADDRESS.match(path)} - {host_of(place)}
    secrets = credentials_set()
    if others and secrets:
        raise InputError(
            f"{place}: its assets are on {min(others)}, and {secrets[0]} would be sent there too; "
            f"unset it, or name the raster itself if {min(others)} may know it"
        )


def _need_own_pixels(place: str, path: str) -> None:
    """Refuse a file that names other files instead of holding pixels. Raises InputError."""
    if is_remote(path) or not os.path.exists(path):
        return  # remote files are always opened in this way
    try:
        with IGNORE_GEOREFERENCE_WARNINGS, as_rasterio_errors():
            why = "" if holds_own_pixels(path) else "it is a virtual raster, too"
    except RasterioError as error:
        why = one_line(error)[:120]
    if why:
        raise InputError(
            f"{place}: its asset {path} is not an image ({why}); an item may not name files that "
            "refer to others, so check it and name it directly"
        )


def _split_asset_keys(text: str) -> tuple[str, str]:
    """The location of an item and the keys after "#". A file with the whole name has no keys."""
    place, sign, keys = text.rpartition("#")
    is_whole = not _JSON.search(place) and _JSON.search(text) is not None
    if not sign or is_whole or os.path.exists(os.path.expanduser(text)):
        return text, ""
    return place, keys


def _read(place: str) -> Mapping[str, Any]:
    text = _bytes(place)
    try:
        item = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not JSON, so not a STAC item") from error
    if not isinstance(item, dict) or item.get("type") != "Feature" or "assets" not in item:
        raise InputError(f"{place}: not a STAC item; name one Item, not a Catalog or a Collection")
    return item


def _bytes(place: str) -> bytes:
    if not _ADDRESS.match(place):
        file = expand_user(place)
        if not file.is_file():
            raise InputError(f"{place}: no such file; check the path")
        if file.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{place}: too large for a STAC item")
        return file.read_bytes()
    answer = _try_fetch(place)
    for _ in retry.retry_pauses() if isinstance(answer, Exception) else ():
        answer = _try_fetch(place)
        if not isinstance(answer, Exception):
            break
    if isinstance(answer, Exception):
        raise InputError(f"{place}: cannot be fetched ({answer}); check the address") from answer
    return answer


def _try_fetch(address: str) -> bytes | Exception:
    try:
        return http_fetch(address, LARGEST_BYTES, headers=user_headers()).body
    except TooLargeError as error:
        raise InputError(f"{address}: too large for a STAC item") from error
    except (OSError, HTTPException, ValueError) as error:
        return error


def _assets(place: str, item: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The assets that are rasters, by key. Raises InputError."""
    found = item["assets"]
    if not isinstance(found, dict):
        raise InputError(f"{place}: its assets are not a JSON object; is it a STAC item?")
    rasters = {key: asset for key, asset in found.items() if _is_raster(asset)}
    if not rasters:
        raise InputError(
            f"{place}: none of its {len(found)} assets is a raster; name an item that has one"
        )
    return rasters


def _is_raster(asset: Any) -> bool:
    if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
        return False
    kind, roles = asset.get("type"), asset.get("roles")
    if isinstance(roles, list) and NO_DATA_ROLES & {r for r in roles if isinstance(r, str)}:
        return False
    if isinstance(kind, str):
        return kind.lower().startswith(("image/tiff", "image/jp2", "image/vnd.stac.geotiff"))
    return split_address(asset["href"]).path.lower().endswith(RASTERS)


def _choose_assets(place: str, assets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if "visual" in assets:
        return ["visual"]
    by_colour = {colour: key for key, asset in assets.items() for colour in _colours(key, asset)}
    if all(colour in by_colour for colour in COLOURS):
        return [by_colour[colour] for colour in COLOURS]
    if len(assets) == 1:
        return list(assets)
    first = next(iter(assets))
    raise InputError(
        f"{place}: which asset is meant? it has {_listed(assets)}; name one as "
        f"{Path(place).name}#{first}, or several, for bands, with commas between"
    )


def _colours(key: str, asset: Mapping[str, Any]) -> list[str]:
    """The colour of an asset with a single band, from its metadata or from its key."""
    bands = asset.get("eo:bands") or asset.get("bands")
    if isinstance(bands, list) and bands:
        only = bands[0] if len(bands) == 1 and isinstance(bands[0], dict) else {}
        name = only.get("common_name") or only.get("eo:common_name") or only.get("name")
        return [name] if isinstance(name, str) and name in COLOURS else []
    return [key.lower()] if key.lower() in COLOURS else []


def _listed(assets: Mapping[str, Any], most: int = 12) -> str:
    names = [name[:40] for name in assets]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _asset_location(place: str, asset: Mapping[str, Any], key: str) -> str:
    """The GDAL name of an asset. Raises InputError for locations that an item may not name."""
    href = str(asset["href"]).strip()
    refused = InputError(
        f"{place}: its asset {key!r} points to {href[:80]!r}; an item may name files beside it or on "
        "a web server, so name that raster itself"
    )
    scheme = split_address(href).scheme.lower() if re.match(r"^[a-zA-Z][\w+.-]*:", href) else ""
    if (
        not href
        or len(href) > LONGEST_HREF
        or STACK_SEPARATOR in href
        or not href.isprintable()
        or _looks_like_item_url(split_address(href).path)
    ):
        raise refused
    if _ADDRESS.match(place) and not scheme:
        try:
            href = urljoin(place, href)
        except ValueError as error:
            raise refused from error
        scheme = split_address(href).scheme.lower()
    if scheme in URL_SCHEMES and not is_tileset(href):
        return scheme + href[len(scheme) :]  # rasterio knows it in lower case alone
    if _ADDRESS.match(place) or scheme not in ("", "file"):
        raise refused
    return _local_asset(
        expand_user(place).absolute(),
        unquote(split_address(href).path) if scheme else href,
        refused,
    )


def _local_asset(item: Path, href: str, refused: InputError) -> str:
    """A file in the folder of the item or below it. Raises `refused` for others."""
    folder = item.parent.resolve()
    file = (folder / href).resolve()
    is_one = not href.startswith("/vsi") and not is_tileset(str(file))
    if not is_one or not file.is_relative_to(folder):
        raise refused
    return str(file)


def _item_date(item: Mapping[str, Any]) -> Acquisition | None:
    properties = item.get("properties")
    if not isinstance(properties, dict):
        return None
    for name in ("datetime", "start_datetime"):
        text = properties.get(name)
        moment = parse_moment(text) if isinstance(text, str) else None
        if moment is not None:
            return Acquisition(moment, f"STAC {name}")
    return None
