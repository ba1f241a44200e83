"""Split names: how data sets call the folders and lists of train, val and test."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from geochange.errors import InputError
from geochange.training.data.chip_source import SPLITS

logger = logging.getLogger(__name__)

NAMES: Mapping[str, tuple[str, ...]] = dict(
    zip(
        SPLITS,
        (("train", "training"), ("val", "valid", "validation", "dev"), ("test", "testing")),
        strict=True,
    )
)
"""The names of each split, in upper or lower case. The first name has priority."""

LIST = ".txt"
"""The suffix of a list of chips."""


def split_path(root: Path, split: str, suffix: str = "") -> Path:
    """The folder of a split, or its list if `suffix` is LIST. The default name if neither exists.

    A second match that is ignored, such as valid/ beside val/, is logged once. Raises InputError if
    several matches exist and none has the default name.
    """
    own = root / f"{split}{suffix}"
    found = [path for path in _alike(root, split, suffix) if path != own]
    if _is_there(own, suffix):
        for other in found if split in SPLITS else ():
            warn_once(f"{root}: {own.name} is used for {split}, and {other.name} is ignored")
        return own
    if len(found) > 1:
        told = " and ".join(path.name for path in found)
        raise InputError(f"{root}: holds {told}, and each may be {split}; rename one to {own.name}")
    return found[0] if found else own


def is_there(root: Path, split: str, suffix: str = "") -> bool:
    """Whether a split has a folder or a list. Raises InputError as `split_path` does."""
    return _is_there(split_path(root, split, suffix), suffix)


@lru_cache(maxsize=4096)
def warn_once(message: str) -> None:
    """Log a warning once per process, because it holds for all splits of a data set."""
    logger.warning("%s", message)


def _is_there(path: Path, suffix: str) -> bool:
    return path.is_file() if suffix else path.is_dir()


def _alike(root: Path, split: str, suffix: str) -> list[Path]:
    """Folders or lists whose names match a split, in the order of NAMES."""
    names = next((names for names in NAMES.values() if split.lower() in names), (split,))
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        stems = {entry.name: entry.name.lower() for entry in entries}
    order = [f"{name}{suffix}" for name in names]
    alike = sorted((order.index(low), name) for name, low in stems.items() if low in order)
    return [root / name for _, name in alike if _is_there(root / name, suffix)]
