"""Opens the place of the work of a run: beside the output, in a folder, or in a bucket."""

from __future__ import annotations

from pathlib import Path

from geochange.errors import OutputError
from geochange.files.output_paths import output_path
from geochange.storage.local import LocalWork
from geochange.storage.object_client import checked_url, is_object_url, require_obstore
from geochange.storage.object_work import ObjectWork
from geochange.storage.work_store import WorkStore


def work_store_of(place: str | None, name: str, beside: Path) -> WorkStore:
    """The store for the work of a run.

    place: the value of --work: a folder or a URL; None for the folder `beside`. name: of the work of
    this run. Raises OutputError, also if a bucket cannot be listed, and MissingDependencyError.
    """
    if place is None:
        return LocalWork(beside / name)
    if is_object_url(place):
        url = checked_url("--work", f"{place.rstrip('/')}/{name.lstrip('.')}")
        require_obstore("--work")
        store = ObjectWork(url)
        store.entries()
        return store
    if "://" in place or place.startswith("/vsi"):
        checked_url("--work", place)
        raise OutputError("--work: give a folder or a URL of object storage")
    folder = output_path(place)
    if not folder.is_dir():
        raise OutputError(
            f"--work {folder}: there is no such folder; make it (mkdir), or name another"
        )
    return LocalWork(folder / name, locked=True)
