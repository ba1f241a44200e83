"""Outputs are checked before work starts, and only one run at a time writes to each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from geochange.errors import OutputError
from geochange.files.output_paths import check_folder, lock_output

HOLD = """
import sys, time
from pathlib import Path
from geochange.files.output_paths import lock_output
with lock_output(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="create it"):
        check_folder(tmp_path / "missing" / "changes.gpkg")
    check_folder(tmp_path / "changes.gpkg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a" * 245, "ä" * 122], ids=["letters", "bytes"])
def test_a_name_too_long_for_the_hidden_ones_beside_it_is_refused(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()  # the name itself is possible
    with pytest.raises(OutputError, match="bytes, but the limit is 239; give a shorter one"):
        check_folder(tmp_path / name)
    check_folder(tmp_path / ("a" * 239))


def test_a_path_too_long_for_its_work_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path
    while len(str(folder)) < 3890:
        folder = folder / ("d" * min(200, 3892 - len(str(folder))))
    folder.mkdir(parents=True)
    with pytest.raises(OutputError, match="but the limit is 3,896; write into a folder"):
        check_folder(folder / "changes.gpkg")


def test_a_claim_leaves_nothing_and_may_be_made_again(tmp_path: Path) -> None:
    for _ in range(2):
        with lock_output(tmp_path / "changes.tif"):
            assert [path.name for path in tmp_path.iterdir()] == [".changes.tif.lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_claim_ends_with_what_breaks(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock_output(tmp_path / "changes.tif"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_another_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    place = tmp_path / "changes.tif"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match=r"changes\.tif: another run is writing it"):
            lock_output(place).__enter__()
        with lock_output(tmp_path / "elsewhere.tif"):
            pass
        other.kill()
        other.wait()
    with lock_output(place):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_locked_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".changes.tif.lock").mkdir()
    with pytest.raises(OutputError, match="cannot be locked"):
        lock_output(tmp_path / "changes.tif").__enter__()
