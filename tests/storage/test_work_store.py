"""What every WorkStore does: a folder on a disk and a prefix of a bucket are the same to a run."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from s3_server import S3Server

from geochange.errors import OutputError
from geochange.mosaic.checked_array import CheckedArray, DamagedStoreError, Layout
from geochange.progress import no_progress
from geochange.storage.local import LocalWork
from geochange.storage.object_work import ObjectWork
from geochange.storage.work_store import WorkStore, read_checksummed, write_checksummed


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> WorkStore:
    if request.param == "folder":
        return LocalWork(tmp_path / "work")
    request.getfixturevalue("server")
    return ObjectWork(f"s3://bucket/{tmp_path.name}/work")


@pytest.fixture
def begun(store: WorkStore) -> WorkStore:
    store.begin()
    return store


def test_a_value_is_there_once_it_is_written(begun: WorkStore) -> None:
    assert begun.read("a/b") is None and begun.stamp("a/b") is None
    begun.write("a/b", b"one")
    first = begun.stamp("a/b")
    assert begun.read("a/b") == b"one" and first is not None
    begun.write("a/b", memoryview(b"other"))
    assert begun.read("a/b") == b"other"
    assert begun.stamp("a/b") != first
    assert begun.read("a") is None


def test_keys_are_those_below_a_prefix(begun: WorkStore) -> None:
    for key in ("a/1", "a/2/3", "ab/4", "b"):
        begun.write(key, b"")
    assert sorted(begun.keys("a")) == ["a/1", "a/2/3"]
    assert sorted(begun.entries() or []) == ["a", "ab", "b"]


def test_what_is_deleted_is_gone_and_nothing_else(begun: WorkStore) -> None:
    for key in ("a/1", "a/2", "a/3"):
        begun.write(key, b"x")
    begun.delete(["a/1", "a/never", "a/3"])
    begun.delete([])
    assert list(begun.keys("a")) == ["a/2"]
    begun.delete(["a/1"])


def test_a_place_without_a_run_has_no_entries(store: WorkStore) -> None:
    assert store.entries() is None
    store.begin()
    store.write("a", b"x")
    store.discard()
    store.discard()
    assert store.entries() is None


def test_records_that_change_are_not_read(begun: WorkStore) -> None:
    assert read_checksummed(begun, "r") is None
    write_checksummed(begun, "r", b"record")
    assert read_checksummed(begun, "r") == b"record"
    begun.write("r", (begun.read("r") or b"").replace(b"record", b"rekord"))
    assert read_checksummed(begun, "r") is None


def test_it_travels_to_workers(begun: WorkStore) -> None:
    begun.write("a", b"x")
    other = pickle.loads(pickle.dumps(begun))
    assert other == begun and hash(other) == hash(begun) and other.read("a") == b"x"
    assert other.of_run("0123").folder == (begun.folder or None)


def damage(change: Callable[[bytes], bytes | None], store: WorkStore, key: str) -> None:
    changed = change(store.read(key) or b"")
    store.delete([key])
    if changed is not None:
        store.write(key, changed)


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "lost": lambda data: None,
    "longer": lambda data: data + b"\0",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_a_chunk_that_changed_is_never_read(begun: WorkStore, name: str) -> None:
    array = CheckedArray(begun, "x.zarr", Layout((4, 6), (2, 3), "uint8", 7))
    array.create()
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    array.write((slice(0, 4), slice(0, 6)), values)
    array.create()
    np.testing.assert_array_equal(array.read((slice(1, 4), slice(2, 6))), values[1:, 2:])
    damage(DAMAGES[name], begun, array.chunk_key(0, 1))
    with pytest.raises(DamagedStoreError, match="computes what is lost"):
        array.read((slice(0, 2), slice(3, 6)))
    assert not array.is_intact((slice(0, 4), slice(0, 6)))
    np.testing.assert_array_equal(array.read((slice(2, 4), slice(0, 6))), values[2:])


def test_foreign_metadata_decide_nothing(begun: WorkStore) -> None:
    array = CheckedArray(begun, "x.zarr", Layout((2, 2), (2, 2), "uint8", 0))
    array.create()
    assert array.is_created()
    array.write((slice(0, 2), slice(0, 2)), np.ones((2, 2), np.uint8))
    begun.write("x.zarr/zarr.json", b'{"shape": [999999999, 999999999], "codecs": ["pickle"]}')
    assert array.read((slice(0, 2), slice(0, 2))).tolist() == [[1, 1], [1, 1]]


def test_only_one_run_has_the_lock(tmp_path: Path, server: S3Server) -> None:
    folder = LocalWork(tmp_path / "work", locked=True)
    with folder.lock() as lock, pytest.raises(OutputError, match="another run"), folder.lock():
        lock.watched(no_progress)("infer", 0, 1)
    with folder.lock():
        pass
    assert list(tmp_path.iterdir()) == []
