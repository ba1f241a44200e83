"""Split names: how data sets call the folders and lists of train, val and test."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from geochange.errors import InputError
from geochange.files.file_tree import archive_root, files_in, folders_in, is_file, is_folder
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


def root_of(path: Path) -> Path:
    """The root of a data set: a folder, or a zip archive, which is read in place.

    Where an archive holds a single folder that is no split, that folder is the root.
    """
    root = archive_root(path)
    while root != path and not files_in(root) and len(folders := folders_in(root)) == 1:
        name, only = next(iter(folders.items()))
        if any(name.lower() in names for names in NAMES.values()):
            break
        root = only
    return root


def split_path(root: Path, split: str, suffix: str = "") -> Path:
    """The folder of a split, or its list if `suffix` is LIST. The default name if neither exists.

    A second match that is ignored, such as valid/ beside val/, is logged once. Raises InputError if
    several matches exist and none has the default name.
    """
    default = f"{split}{suffix}"
    found = _alike(root, split, suffix)
    own = found.pop(default, root / default)
    if _is_there(own, suffix):
        for other in found if split in SPLITS else ():
            warn_once(f"{root}: {default} is used for {split}, and {other} is ignored")
        return own
    if len(found) > 1:
        told = " and ".join(found)
        raise InputError(f"{root}: holds {told}, and each may be {split}; rename one to {default}")
    return next(iter(found.values()), own)


def is_there(root: Path, split: str, suffix: str = "") -> bool:
    """Whether a split has a folder or a list. Raises InputError as `split_path` does."""
    return _is_there(split_path(root, split, suffix), suffix)


@lru_cache(maxsize=4096)
def warn_once(message: str) -> None:
    """Log a warning once per process, because it holds for all splits of a data set."""
    logger.warning("%s", message)


def _is_there(path: Path, suffix: str) -> bool:
    return is_file(path) if suffix else is_folder(path)


def _alike(root: Path, split: str, suffix: str) -> dict[str, Path]:
    """Folders or lists whose names match a split, by name, in the order of NAMES."""
    names = next((names for names in NAMES.values() if split.lower() in names), (split,))
    if not is_folder(root):
        return {}
    there = {path.name: path for path in files_in(root)} if suffix else folders_in(root)
    order = [f"{name}{suffix}" for name in names]
    alike = sorted((order.index(name.lower()), name) for name in there if name.lower() in order)
    return {name: there[name] for _, name in alike}
