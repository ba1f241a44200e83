"""The work folder is resumed, started afresh, or left alone, according to its fingerprint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from file_damage import DAMAGES

from geochange.errors import OutputError
from geochange.running.work_folder import WorkFolder

MINE = {"model": "cva", "shape": [3, 4], "nested": {"b": 1, "a": 2}}


@pytest.fixture
def folder(tmp_path: Path) -> WorkFolder:
    return WorkFolder.for_output(tmp_path / "changes.gpkg")


def path_of(folder: WorkFolder) -> Path:
    return Path(str(folder.store))


def leave_work(folder: WorkFolder) -> Path:
    folder.begin(MINE)
    kept = path_of(folder) / "logits.zarr"
    kept.mkdir()
    folder.commit(MINE)
    return kept


def test_it_is_hidden_beside_the_output(folder: WorkFolder, tmp_path: Path) -> None:
    assert path_of(folder) == tmp_path / ".changes.gpkg.work"


def test_the_same_fingerprint_goes_on_where_it_was(folder: WorkFolder) -> None:
    kept = leave_work(folder)
    reordered = {"nested": {"a": 2, "b": 1}, "shape": [3, 4], "model": "cva"}
    assert folder.begin(reordered) is True
    assert kept.is_dir()


def test_a_new_run_does_not_go_on(folder: WorkFolder) -> None:
    assert folder.begin(MINE) is False
    assert path_of(folder).is_dir()


def test_another_fingerprint_starts_afresh_and_says_so(
    folder: WorkFolder, caplog: pytest.LogCaptureFixture
) -> None:
    kept = leave_work(folder)
    assert folder.begin({**MINE, "model": "irmad"}) is False
    assert not kept.exists()
    assert path_of(folder).is_dir()
    assert "starting afresh" in caplog.text
    folder.commit({**MINE, "model": "irmad"})
    assert folder.begin({**MINE, "model": "irmad"}) is True


def test_a_run_killed_before_its_stores_were_ready_begins_again(folder: WorkFolder) -> None:
    folder.begin(MINE)
    half = path_of(folder) / "logits.zarr"
    half.mkdir()
    assert folder.begin(MINE) is False
    assert not half.exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_starts_afresh(
    damage: str, folder: WorkFolder, caplog: pytest.LogCaptureFixture
) -> None:
    kept = leave_work(folder)
    DAMAGES[damage](path_of(folder) / "fingerprint.json")
    assert folder.begin(MINE) is False
    assert not kept.exists()
    # A run that is killed before it creates its stores leaves an empty folder.
    assert ("damaged: starting afresh" in caplog.text) == (damage != "empty")
    folder.commit(MINE)
    assert folder.begin(MINE) is True


def test_the_work_of_version_0_1_0_starts_afresh_and_says_so(
    folder: WorkFolder, caplog: pytest.LogCaptureFixture
) -> None:
    path_of(folder).mkdir()
    (path_of(folder) / "logits.zarr").mkdir()
    (path_of(folder) / "outlines.bin").write_bytes(b"")
    record = json.dumps({**MINE, "geochange": "0.1.0"}, sort_keys=True, indent=1)
    (path_of(folder) / "fingerprint.json").write_text(record)
    assert folder.begin({**MINE, "geochange": "0.1.0", "stores": "crc32c"}) is False
    assert "the work is from another version of geochange: starting afresh" in caplog.text
    assert not (path_of(folder) / "logits.zarr").exists()


def test_a_link_in_the_way_is_refused(folder: WorkFolder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path_of(folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="exists and was not made"):
        folder.begin(MINE)
    assert (tmp_path / "elsewhere").is_dir()


def test_a_strange_folder_is_refused_and_left_alone(folder: WorkFolder) -> None:
    path_of(folder).mkdir()
    thesis = path_of(folder) / "thesis.txt"
    thesis.write_text("years of work")
    with pytest.raises(OutputError, match="exists and was not made by geochange"):
        folder.begin(MINE)
    assert thesis.read_text() == "years of work"


def test_a_file_in_the_way_is_refused(folder: WorkFolder) -> None:
    path_of(folder).write_text("")
    with pytest.raises(OutputError, match="exists and was not made"):
        folder.begin(MINE)


def test_a_place_that_cannot_hold_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be made"):
        WorkFolder.for_output(tmp_path / "missing" / "changes.gpkg").begin(MINE)


def test_remove_leaves_nothing_and_may_be_repeated(folder: WorkFolder, tmp_path: Path) -> None:
    leave_work(folder)
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []
