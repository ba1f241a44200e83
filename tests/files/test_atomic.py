"""Atomic writes: a file appears complete, or not at all."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from geochange.errors import InputError, OutputError
from geochange.files.atomic import as_output_error, atomic_path, write_text


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_path(target) as aside:
        aside.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, InputError])
def test_what_is_interrupted_leaves_nothing(tmp_path: Path, kind: type[BaseException]) -> None:
    def interrupted() -> None:
        with atomic_path(tmp_path / "a.txt") as aside:
            aside.write_text("half")
            raise kind

    with pytest.raises(kind):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"none/a\.txt cannot be written \(No such file"):
        write_text(tmp_path / "none" / "a.txt", "text")


def test_several_appear_together_or_none(tmp_path: Path) -> None:
    def write(*places: Path) -> None:
        with ExitStack() as files:
            for place in places:
                files.enter_context(atomic_path(place)).write_text("text")

    with pytest.raises(OutputError) as refused:
        write(tmp_path / "a.txt", tmp_path / "none" / "b.txt")
    assert str(refused.value).count("cannot be written") == 1
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "a.txt", tmp_path / "b.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_a_file_that_windows_holds_open_is_not_called_a_full_disk(tmp_path: Path) -> None:
    error = PermissionError(13, "The process cannot access the file")
    error.winerror = 32  # type: ignore[attr-defined]
    cure = pytest.raises(OutputError, match="close the program that has it open")
    with cure, as_output_error(tmp_path / "a.gpkg"):
        raise error
