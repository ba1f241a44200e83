"""Data sets on disk: finds them, opens their splits, and checks and counts their chips."""

from __future__ import annotations

from geochange.dataset.chip_files import FileChips
from geochange.dataset.layouts.find_split import (
    LAYOUT_NAMES,
    find_root,
    has_split,
    records_of,
    splits_of,
)
from geochange.dataset.leaks import Leak
from geochange.dataset.open_split import open_split
from geochange.dataset.survey import SplitSurvey, Survey, check_split, survey

__all__ = [
    "LAYOUT_NAMES",
    "FileChips",
    "Leak",
    "SplitSurvey",
    "Survey",
    "check_split",
    "find_root",
    "has_split",
    "open_split",
    "records_of",
    "splits_of",
    "survey",
]
