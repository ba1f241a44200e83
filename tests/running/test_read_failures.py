"""Unreadable areas of blocks are recorded; a run continues, unless a server gives nothing at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from file_damage import DAMAGES
from makers import make_raster, noise

from geochange.errors import RunError
from geochange.grid.tiling import Window
from geochange.raster.access.unreadable_areas import (
    NOTHING_UNREADABLE,
    UnreadableAreas,
    UnreadableError,
)
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import inspect_raster
from geochange.running.read_failures import GIVE_UP, FailureRecords, ReadFailures
from geochange.storage.local import LocalWork

HOLE = UnreadableAreas((Window(0, 0, 2, 2),))
OTHER = UnreadableAreas((Window(0, 2, 2, 2),), (Window(4, 4, 2, 2),))


@pytest.fixture
def pair(tmp_path: Path) -> RasterPair:
    info = inspect_raster(make_raster(tmp_path / "a.tif", noise((8, 9))))
    return align_pair(info, info, "before", Bands((1,), (1,)))


def remote(pair: RasterPair) -> RasterPair:
    info = replace(pair.before.info, path="https://x.org/a.tif")
    return replace(pair, before=replace(pair.before, info=info))


def test_records_are_kept_by_block_and_taken_back(tmp_path: Path) -> None:
    records = FailureRecords(LocalWork(tmp_path))
    assert not records.any() and records.get() == NOTHING_UNREADABLE
    assert not records.has((0, 1))
    records.put((0, 1), NOTHING_UNREADABLE)
    assert records.has((0, 1)) and not records.any()
    records.put((0, 1), HOLE)
    records.put((2, 0), OTHER)
    records.put((3, 3), HOLE)
    assert records.any()
    assert records.get() == HOLE | OTHER
    records.put((2, 0), NOTHING_UNREADABLE)
    assert records.get() == HOLE


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_not_there(damage: str, tmp_path: Path) -> None:
    records = FailureRecords(LocalWork(tmp_path))
    for block in ((0, 1), (2, 0)):
        records.put(block, HOLE)
    DAMAGES[damage](tmp_path / "unreadable" / "0_1.json")
    assert not records.has((0, 1)) and records.has((2, 0))
    assert records.get() == HOLE
    records.put((0, 1), OTHER)
    assert records.has((0, 1)) and records.get() == HOLE | OTHER


def test_a_file_in_the_place_of_the_records_goes(tmp_path: Path) -> None:
    (tmp_path / "unreadable").write_text("no folder")
    records = FailureRecords(LocalWork(tmp_path))
    records.put((0, 1), HOLE)
    assert records.get() == HOLE


def test_a_run_goes_on_and_ends_with_all_places(pair: RasterPair) -> None:
    faults = ReadFailures(pair)
    for _ in range(3 * GIVE_UP):
        assert faults.tolerate(UnreadableError("there", HOLE))
    assert not faults.tolerate(RunError("something else"))
    line = r"rows 0-1, columns 0-3 cannot .*; .*rows 4-5, columns 4-5 .*--skip-unreadable"
    with pytest.raises(RunError, match=line):
        faults.raise_collected(OTHER)
    ReadFailures(pair).raise_collected(NOTHING_UNREADABLE)


def test_a_server_that_gives_nothing_is_given_up(pair: RasterPair) -> None:
    faults = ReadFailures(remote(pair))
    for _ in range(GIVE_UP - 1):
        assert faults.tolerate(UnreadableError("there", HOLE))
    faults.record_success()
    for _ in range(GIVE_UP - 1):
        assert faults.tolerate(UnreadableError("there", HOLE))
    with pytest.raises(RunError, match=r"https://x\.org/a\.tif: pixels .*7 blocks before it"):
        faults.tolerate(UnreadableError("there", HOLE))
