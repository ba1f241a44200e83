from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.codecs import Crc32cCodec
from zarr.storage import MemoryStore

from geochange.mosaic.checked_array import CheckedArray
from geochange.mosaic.chunk_format import Layout, decode_chunk, encode_chunk, metadata_of
from geochange.storage.local import LocalWork

LAYOUTS = {
    "logits": Layout((3, 5, 4), (1, 2, 4), "float16", math.nan),
    "scores": Layout((3, 5), (2, 2), "float32", math.nan, (("classes", ("a", "b")),)),
    "probability": Layout((7, 5), (4, 4), "uint8", 255),
    "thumbnail": Layout((2, 2, 3), (1, 1, 3), "int16", 0),
}


def values_of(layout: Layout) -> np.ndarray:
    count = math.prod(layout.shape)
    return np.arange(count).reshape(layout.shape).astype(layout.dtype)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_files_are_those_of_zarr(layout: Layout, tmp_path: Path) -> None:
    files: dict = {}
    theirs = zarr.create_array(
        store=MemoryStore(files),
        shape=layout.shape,
        chunks=layout.chunks,
        dtype=layout.dtype,
        fill_value=layout.fill_value,
        attributes=dict(layout.attributes),
        zarr_format=3,
        compressors=[Crc32cCodec()],
        config={"write_empty_chunks": True},
    )
    theirs[:] = values_of(layout)
    ours = CheckedArray(LocalWork(tmp_path, locked=False), "x.zarr", layout)
    ours.create()
    ours.write((), values_of(layout))
    written = {
        file.relative_to(tmp_path / "x.zarr").as_posix(): file.read_bytes()
        for file in (tmp_path / "x.zarr").rglob("*")
        if file.is_file()
    }
    said = {
        json.dumps(json.loads(of.pop("zarr.json")), sort_keys=True)
        for of in (written, {"zarr.json": files.pop("zarr.json").to_bytes()})
    }
    assert len(said) == 1
    assert written == {name: chunk.to_bytes() for name, chunk in files.items()}
    opened = zarr.open_array(tmp_path / "x.zarr", mode="r")
    np.testing.assert_array_equal(opened[:], values_of(layout))


def test_regions_are_read_as_numpy_cuts_them(tmp_path: Path) -> None:
    layout = LAYOUTS["logits"]
    array = CheckedArray(LocalWork(tmp_path, locked=False), "x.zarr", layout)
    whole = values_of(layout)
    array.write((slice(0, 3), slice(0, 5)), whole)
    for place in [(1,), (2, 4), (slice(1, 3), slice(1, 4)), (0, slice(2, 2)), (slice(None), 3)]:
        np.testing.assert_array_equal(array.read(place), whole[place])


def test_missing_chunks_are_the_fill_value_only_where_they_may_be_missing(tmp_path: Path) -> None:
    array = CheckedArray(LocalWork(tmp_path, locked=False), "x.zarr", LAYOUTS["probability"])
    array.write((slice(0, 4), slice(0, 4)), np.ones((4, 4), np.uint8))
    expected = np.full((7, 5), 255)
    expected[:4, :4] = 1
    np.testing.assert_array_equal(array.read((), sparse=True), expected)
    assert not array.is_intact(())


def test_a_chunk_is_filled_up_and_checked() -> None:
    layout = Layout((3,), (4,), "uint8", 9)
    stored = bytes(encode_chunk(layout, np.array([1, 2, 3])))
    assert decode_chunk(layout, stored).tolist() == [1, 2, 3, 9]
    for damaged in (stored[:-1], stored + b"\0", b"\5" + stored[1:], stored[:-1] + b"\0", b""):
        with pytest.raises(ValueError, match="a chunk"):
            decode_chunk(layout, damaged)


def test_metadata_hold_no_value_that_json_lacks() -> None:
    assert json.loads(metadata_of(LAYOUTS["logits"]))["fill_value"] == "NaN"
