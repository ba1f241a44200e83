"""The disk space of a run is known before it starts: at least the true value, and not much more."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from tile_plans import each_plan, every_output, plans, wide_overlap

from geochange.errors import OutputError, RunError
from geochange.grid.tiling import TilePlan
from geochange.running.plan.disk_space import (
    DiskSpace,
    as_disk_full_error,
    check_space,
    disk_space_of,
    most_waiting_tiles,
    size_of,
    size_text,
    writes_early,
)

IN_FLIGHT = 4


def most_tiles(plan: TilePlan) -> int:
    """The most tiles on disk if blocks come in order, and each output follows its last block."""
    there: dict[tuple[int, int], int] = {}
    left = {output: set(plan.needed_blocks(output)) for output in every_output(plan)}
    most = 0
    for block in plan.blocks():
        rows, cols = plan.block_tile_ranges(block)
        there[block] = len(rows) * len(cols)
        most = max(most, sum(there.values()))
        for needed in left.values():
            needed.discard(block)
        done = {output for output, needed in left.items() if not needed}
        for kept in list(there):
            if done.issuperset(plan.outputs_of(kept)):
                del there[kept]
    return most


@each_plan
@given(plans())
@wide_overlap
def test_no_more_tiles_wait_than_were_foretold(plan: TilePlan) -> None:
    assert most_tiles(plan) <= most_waiting_tiles(plan, IN_FLIGHT)


def test_a_large_raster_needs_little_more_than_its_probability() -> None:
    plan = TilePlan((200_000, 200_000))
    space = disk_space_of(plan, 56, IN_FLIGHT, keep_work=False)
    assert space.infer / plan.full_window.pixels < 2.6
    assert 2.5 < space.peak / plan.full_window.pixels < 2.9


def test_logits_that_are_kept_are_counted() -> None:
    plan = TilePlan((10_000, 10_000))
    kept = disk_space_of(plan, 0, IN_FLIGHT, keep_work=True)
    released = disk_space_of(plan, 0, IN_FLIGHT, keep_work=False)
    logits = plan.tile_count * plan.tile_px**2 * 2
    assert kept.write - released.write == logits
    assert kept.infer == logits + int(1.2 * plan.full_window.pixels) + int(
        4 / 3 * plan.full_window.pixels
    )
    assert released.peak <= 4.5 * plan.full_window.pixels


@pytest.mark.parametrize("tile", [256, 512])
@pytest.mark.parametrize("block", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("side", [4_096, 6_000, 10_000, 30_000, 100_000])
def test_a_raster_of_many_blocks_is_written_early_and_of_few_is_not(
    side: int, block: int, tile: int
) -> None:
    plan = TilePlan((side, side), tile, block_tiles=block)
    space = disk_space_of(plan, 0, IN_FLIGHT, keep_work=False)
    waiting = most_waiting_tiles(plan, IN_FLIGHT) * tile**2 * 2 + 1.2 * plan.full_window.pixels
    if writes_early(plan):
        assert plan.rows.outputs * plan.cols.outputs >= 25
        assert space.infer == pytest.approx(waiting + 4 / 3 * plan.full_window.pixels, rel=1e-6)
        assert space.peak <= 4.5 * plan.full_window.pixels
    else:
        assert space.infer == pytest.approx(waiting, rel=1e-6)


def test_too_little_space_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / ".work"
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_500_000))
    check_space(DiskSpace(1_000_000, 1_500_000), tmp_path, work)
    with pytest.raises(OutputError, match=r"needs 2 MB while it works and there are 2 MB; free"):
        check_space(DiskSpace(1_600_000, 0), tmp_path, work)
    work.mkdir()
    (work / "chunk").write_bytes(bytes(100_000))
    check_space(DiskSpace(1_600_000, 0), tmp_path, work)


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "c" / "0").mkdir(parents=True)
    (tmp_path / "c" / "0" / "0").write_bytes(bytes(70))
    (tmp_path / "zarr.json").write_bytes(bytes(30))
    assert size_of(tmp_path) == 100
    assert size_of(tmp_path / "missing") == 0


def test_bytes_as_people_read_them() -> None:
    assert [size_text(size) for size in (2.5e6, 1e9, 41.26e9)] == ["2 MB", "1.0 GB", "41.3 GB"]


def test_a_disk_found_full_is_named_and_other_faults_are_not(tmp_path: Path) -> None:
    full = r"\(No space left on device\): check the free space"
    with pytest.raises(RunError, match=full), as_disk_full_error(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PermissionError), as_disk_full_error(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")
