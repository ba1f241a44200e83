"""STAC items of the label extension: polygons of change, with links to the items of both dates.

Source: stac-extensions/label 1.0. Splits are folders, or `ml-aoi:split` of stac-extensions/ml-aoi.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from geochange.dataset.labelled_pairs import LabelledPair
from geochange.dataset.layouts.layout import Found, short_list
from geochange.dataset.layouts.place_lists import ALL
from geochange.dataset.split_names import NAMES, split_path
from geochange.dataset.truth.json_shapes import read_json
from geochange.errors import InputError
from geochange.files.archives import split as archive_member
from geochange.files.file_tree import files_in, is_folder, read_file, walk
from geochange.raster.acquisition import parse_moment
from geochange.raster.sources.stac import LARGEST_BYTES
from geochange.training.data.chip_source import SPLITS

CATALOGS = ("catalog.json", "collection.json")
LABEL_TYPE, SPLIT, MODEL = "label:type", "ml-aoi:split", "mlm:name"
DATES = 2

MOST_LOOKED_AT = 16
"""The number of JSON files of a folder that are opened to see whether it holds label items."""


@dataclass(frozen=True)
class StacLabels:
    """Items whose assets hold polygons, and whose `source` links name the pictures of two dates."""

    about: str = "STAC items with label:type, and source links to items of two dates"
    labels: str = "polygons of STAC label items; each is change"
    bands: tuple[int, ...] | None = None

    def splits(self, root: Path) -> tuple[str, ...]:
        """The folders of splits, or what the items say; else `all`."""
        there = {item.split for item in _label_items(root)} if _is_catalog(root) else set()
        return tuple(split for split in (*SPLITS, ALL) if split in there)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        return split in self.splits(root)

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        items = list(_label_items(root))
        if not items:
            _refuse_models(root)
            raise InputError(f"{root}: holds no STAC item with {LABEL_TYPE}; check the path")
        pairs = [_pair(root, item) for item in items if split in (ALL, item.split)]
        if not pairs:
            there = ", ".join(sorted({item.split for item in items}))
            raise InputError(f"{root}: no label item is of {split}; there are {there}")
        names = [pair.name for pair in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"{root}: two label items have the id {twice[0]}; rename one")
        others = [path.name for path in files_in(root) if path.name not in CATALOGS]
        return Found((), (".",), short_list("", others), pairs=tuple(sorted(pairs, key=_name)))


@dataclass(frozen=True, slots=True)
class _LabelItem:
    """A label item. content: its JSON."""

    path: Path
    content: Mapping[str, Any]
    split: str


def _name(pair: LabelledPair) -> str:
    return pair.name


def _is_catalog(root: Path) -> bool:
    """Whether a folder may hold label items: it has a catalog, or an item itself."""
    if archive_member(str(root)) is not None:
        return False  # the pictures of items are not read from archives
    folders = [root, *(split_path(root, split) for split in SPLITS)]
    for folder in folders:
        if not is_folder(folder):
            continue
        found = [path for path in files_in(folder) if path.suffix.lower() == ".json"]
        if any(path.name in CATALOGS for path in found):
            return any(True for _ in _label_items(root))
        if any(_label_item(path) is not None for path in found[:MOST_LOOKED_AT]):
            return True
    return False


def _label_items(root: Path) -> Iterator[_LabelItem]:
    """The label items of a data set. Raises InputError for a file that cannot be read."""
    folders = {split: split_path(root, split) for split in SPLITS}
    for path in walk(root):
        if path.suffix.lower() == ".json" and (item := _label_item(path)) is not None:
            yield _LabelItem(path, item, _split_of(folders, path, item))


def _label_item(path: Path) -> Mapping[str, Any] | None:
    item = _item(path)
    return item if item is not None and LABEL_TYPE in item["properties"] else None


def _item(path: Path) -> Mapping[str, Any] | None:
    """A STAC item; None for other JSON, in an archive, and for files that are too large."""
    if archive_member(str(path)) is not None:
        return None
    told = path.stat()
    return _read_item(path, told.st_mtime_ns) if told.st_size <= LARGEST_BYTES else None


@lru_cache(maxsize=65536)
def _read_item(path: Path, version: int) -> Mapping[str, Any] | None:
    """version: the time of the last modification."""
    if b'"stac_version"' not in read_file(path, LARGEST_BYTES, "a STAC item"):
        return None
    item = read_json(path, LARGEST_BYTES, "a STAC item")
    return item if isinstance(item.get("properties"), dict) else None


def _refuse_models(root: Path) -> None:
    """Refuse items that describe a model instead of labels. Raises InputError."""
    for path in walk(root):
        item = _item(path) if path.suffix.lower() == ".json" else None
        if item is not None and any(key.startswith("mlm:") for key in item["properties"]):
            raise InputError(
                f"{path}: describes a model (MLM) and no labels; name the catalog of its data"
            )


def _split_of(folders: Mapping[str, Path], path: Path, item: Mapping[str, Any]) -> str:
    """The split whose folder holds an item, or that it names; else ALL."""
    for split, folder in folders.items():
        if path.is_relative_to(folder):
            return split
    told = str(item["properties"].get(SPLIT, "")).lower()
    alike = {"validate": "val"}
    names = (split for split, words in NAMES.items() if told in words)
    return alike.get(told) or next(names, ALL)


def _pair(root: Path, label: _LabelItem) -> LabelledPair:
    """The pair of a label item. Raises InputError for one without two dates or without polygons."""
    path, item = label.path, label.content
    links = item.get("links")
    sources = [
        link
        for link in (links if isinstance(links, list) else ())
        if isinstance(link, dict) and link.get("rel") == "source"
    ]
    if len(sources) != DATES:
        raise InputError(
            f"{path}: links {len(sources)} sources, not the items of two dates; add them as source"
        )
    dated = sorted(
        (_date_of(path, place), place, link)
        for link in sources
        if (place := _inside(root, path, link.get("href")))
    )
    if dated[0][0] == dated[1][0]:
        raise InputError(f"{path}: both sources are of {dated[0][0]}; give their items two dates")
    before, after = (_with_assets(place, link) for _, place, link in dated)
    name = re.sub(r"[^\w.-]+", "_", str(item.get("id", path.stem)))[:120]
    return LabelledPair(name, before, after, _labels_of(root, path, item))


def _date_of(path: Path, source: Path) -> str:
    item = _item(source)
    when = None if item is None else item["properties"].get("datetime")
    moment = parse_moment(when) if isinstance(when, str) else None
    if moment is None:
        raise InputError(f"{source}: has no datetime, so {path.name} has no order; add it")
    return moment


def _with_assets(place: Path, link: Mapping[str, Any]) -> Path:
    assets = link.get("label:assets")
    keys = [key for key in assets if isinstance(key, str)] if isinstance(assets, list) else []
    return Path(f"{place}#{','.join(keys)}") if keys else place


def _labels_of(root: Path, path: Path, item: Mapping[str, Any]) -> Path:
    assets = item.get("assets")
    found = assets if isinstance(assets, dict) else {}
    for key, asset in found.items():
        roles = asset.get("roles") if isinstance(asset, dict) else None
        if key == "labels" or (isinstance(roles, list) and "labels" in roles):
            return _inside(root, path, asset.get("href") if isinstance(asset, dict) else None)
    raise InputError(f"{path}: has no asset called labels; add the polygons or the mask")


def _inside(root: Path, path: Path, href: Any) -> Path:
    """The file that an item names. Raises InputError for one outside of the data set."""
    text = href if isinstance(href, str) and "\0" not in href and "://" not in href else ""
    file = (path.parent / text).resolve()
    if not text or not file.is_relative_to(root.resolve()) or not file.is_file():
        raise InputError(
            f"{path}: names {str(href)[:80]!r}, which is no file in {root}; fetch it, and name it by a "
            "relative path"
        )
    return file
