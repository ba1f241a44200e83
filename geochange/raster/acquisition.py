"""The acquisition date of a raster, from its metadata or else from its file name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any

TAGS = (
    *("ACQUISITIONDATETIME", "ACQUISITION_DATETIME", "ACQUISITION_DATE", "ACQUISITIONDATE"),
    *("DATETIME", "DATATAKE_1_DATATAKE_SENSING_START", "PRODUCT_START_TIME", "SENSING_TIME"),
    *("SCENE_CENTER_TIME", "DATE_ACQUIRED", "START_DATETIME", "START_DATE", "DATE"),
    "TIFFTAG_DATETIME",
)
"""Metadata keys with the date, in upper case, most reliable first. TIFFTAG_DATETIME is the last,
because it is often the date of the file."""

NAME = "its name"

_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_:/]?(0[1-9]|1[0-2])[-_:/]?(0[1-9]|[12]\d|3[01])"
    r"(?:[T _]?([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d))?(?!\d)|(?!\d))"
)


@dataclass(frozen=True)
class Acquisition:
    """A date or a date with time, and its source.

    when: ISO 8601, "2016-07-07" or "2016-07-07T15:36:31". source_tag: a metadata key, or NAME.
    """

    when: str
    source_tag: str

    @property
    def day(self) -> date:
        """The day."""
        return date.fromisoformat(self.when[:10])


def acquisition_of(tags: Mapping[str, str], path: str) -> Acquisition | None:
    """The first date in the metadata, else in the file name; None without one."""
    told = {name.upper(): text for name, text in tags.items()}
    for tag in TAGS:
        moment = parse_moment(told.get(tag, ""))
        if moment is not None:
            return Acquisition(moment, tag)
    moment = parse_moment(PurePosixPath(path.partition("?")[0]).stem)
    return None if moment is None else Acquisition(moment, NAME)


def dataset_acquisition(dataset: Any, path: str) -> Acquisition | None:
    """As `acquisition_of`, from the metadata of an open rasterio dataset."""
    return acquisition_of({**dataset.tags(ns="IMAGERY"), **dataset.tags()}, path)


def parse_moment(text: str) -> str | None:
    """The first date in a text as ISO 8601; None without one."""
    for found in _DATE.finditer(text):
        year, month, day, hour, minute, second = found.groups()
        try:
            when = date(int(year), int(month), int(day)).isoformat()
        except ValueError:  # such as the 30th of February
            continue
        return when if hour is None else f"{when}T{hour}:{minute}:{second or '00'}"
    return None
