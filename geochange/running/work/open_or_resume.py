"""Opens the work of a run: new, or that of an interrupted run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from geochange.errors import InputError, OptionError
from geochange.inputs.prepared_run import CheckedRun
from geochange.running import provenance
from geochange.running.plan.disk_space import (
    DiskSpace,
    check_space,
    disk_space_of,
    scratch_space_of,
)
from geochange.running.plan.run_spec import RunSpec
from geochange.running.work_folder import WorkFolder, digest_of

logger = logging.getLogger(__name__)


@contextmanager
def open_work(checked: CheckedRun, work: RunSpec, tasks: int) -> Iterator[tuple[RunSpec, bool]]:
    """The run with its stores, and whether they are from an interrupted run.

    They are deleted after the outputs. tasks: the number of tasks that are submitted at once.
    """
    folder = WorkFolder(work.folder)
    _check_space(checked, work, tasks)
    fingerprint = provenance.fingerprint(work)
    work = replace(work, folder=work.folder.of_run(digest_of(fingerprint)))
    if not work.skip_unreadable and work.records.any():
        # The earlier run skipped unreadable pixels; this run must not.
        logger.warning("the last run skipped unreadable pixels: starting afresh")
        folder.remove()
    resumed = folder.begin(fingerprint)
    work = work.create_stores(resumed)
    if not resumed:
        folder.commit(fingerprint)
    try:
        with _scratch_folder(checked):
            yield work, resumed
    except (InputError, OptionError):
        # A refused run leaves no folder behind, but the work of an earlier run stays.
        if not resumed:
            folder.remove()
        raise
    if not checked.options.keep_work:
        folder.remove()


def _check_space(checked: CheckedRun, work: RunSpec, tasks: int) -> None:
    there = checked.out.parent if work.folder.folder is None else checked.scratch.parent
    check_space(space_of_run(work, tasks, checked.options.keep_work), there, checked.scratch)


def space_of_run(work: RunSpec, tasks: int, keeps_work: bool) -> DiskSpace:
    """The disk space that a run needs on this machine. tasks: as in `open_work`."""
    if work.folder.folder is None:
        return scratch_space_of(work.plan)
    share, classes = work.active_tiles.share, len(work.classes)
    return disk_space_of(work.plan, classes, tasks, keeps_work, share, work.stores_land)


@contextmanager
def _scratch_folder(checked: CheckedRun) -> Iterator[None]:
    """The folder for files of the main process, if the work is not on this machine."""
    if checked.work.folder is not None:
        yield
        return
    scratch = WorkFolder.for_output(checked.out)
    # A killed run leaves files here that the next one writes anew.
    scratch.begin({})
    try:
        yield
    finally:
        scratch.remove()
