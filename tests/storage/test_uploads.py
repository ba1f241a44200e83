"""Outputs go into a bucket whole, in order, and replace nothing of others."""

from __future__ import annotations

import re
from pathlib import Path

import obstore
import pytest
from s3_server import S3Server

from geochange.errors import OutputError, RunError
from geochange.storage import uploads
from geochange.storage.object_client import client_of
from geochange.storage.uploads import PROBE, Upload


@pytest.fixture
def place(server: S3Server, request: pytest.FixtureRequest) -> str:
    return f"s3://bucket/uploads/{request.node.name}"


def begin(place: str, **contents: bytes) -> tuple[Upload, list[Path]]:
    """An upload, and files with these contents to be uploaded."""
    upload, out = Upload.begin(f"{place}/out.gpkg", None)
    files = [out.with_suffix(f".{kind}") for kind in contents]
    for file, data in zip(files, contents.values(), strict=True):
        file.write_bytes(data)
    return upload, files


@pytest.mark.slow
def test_files_appear_at_the_end_in_their_order(place: str, server: S3Server) -> None:
    upload, files = begin(place, tif=b"raster" * 10**6 * 3, gpkg=b"polygons")
    upload.check(files, None)
    upload.probe()
    client = client_of(place)
    assert obstore.list(client).collect() == []
    server.calls.clear()
    upload.finish(files)
    written = [call.path.rpartition(".")[2] for call in server.calls if call.kind == "PUT"]
    assert written == ["tif", "tif", "gpkg"]  # the raster has two parts
    for file in files:
        answer = obstore.get(client, file.name)
        assert bytes(answer.bytes()) == file.read_bytes()
    assert obstore.get(client, "out.tif").attributes["Content-Type"].startswith("image/tiff")
    assert upload.url_of(files[1]) == f"{place}/out.gpkg"
    folder = files[0].parent
    upload.close()
    assert not folder.exists()


def test_what_geochange_put_is_replaced_and_nothing_else(place: str) -> None:
    first, files = begin(place, gpkg=b"one")
    first.check(files, None)
    first.finish(files)
    second, files = begin(place, gpkg=b"two")
    second.check(files, None)
    second.finish(files)
    client = client_of(place)
    assert bytes(obstore.get(client, "out.gpkg").bytes()) == b"two"
    obstore.put(client, "out.gpkg", b"a review")
    third, files = begin(place, gpkg=b"three")
    with pytest.raises(OutputError, match="exists and was not put there by geochange; move it"):
        third.check(files, None)
    third.check(files, files[-1])
    third.finish(files)
    assert bytes(obstore.get(client, "out.gpkg").bytes()) == b"three"


def test_only_polygons_are_replaced_by_force(place: str) -> None:
    obstore.put(client_of(place), "out.tif", b"an input")
    upload, files = begin(place, tif=b"raster", gpkg=b"polygons")
    with pytest.raises(OutputError, match=r"out.tif: exists .* or give another --out$"):
        upload.check(files, files[-1])


@pytest.mark.parametrize("name", ["s3://bucket/in/out.tif", "/vsis3/bucket/in/out.tif"])
def test_an_input_is_never_replaced(name: str) -> None:
    upload, files = begin("s3://bucket/in", tif=b"raster", gpkg=b"polygons")
    upload.refuse_inputs(files, ["s3://bucket/in/other.tif", "s3://bucket/out.tif", "/in/out.tif"])
    with pytest.raises(OutputError, match=r"would overwrite the input s3://bucket/in/out\.tif"):
        upload.refuse_inputs(files, [name])


@pytest.mark.parametrize("before", [None, b"old"])
def test_what_changed_during_the_run_stays(place: str, before: bytes | None) -> None:
    client = client_of(place)
    if before is not None:
        obstore.put(client, "out.gpkg", before)
    upload, files = begin(place, tif=b"raster", gpkg=b"mine")
    upload.check(files, files[-1])
    obstore.put(client, "out.gpkg", b"a review")
    with pytest.raises(RunError, match="changed during the run, so it is not replaced"):
        upload.finish(files)
    assert bytes(obstore.get(client, "out.gpkg").bytes()) == b"a review"
    assert [one["path"] for one in obstore.list(client).collect()] == ["out.gpkg"]


def test_missing_rights_are_known_before_the_work(place: str, server: S3Server) -> None:
    upload, _ = begin(place)
    with (
        server.failing(lambda call: "denied" if PROBE in call.path else None),
        pytest.raises(OutputError, match="access is denied"),
    ):
        upload.probe()


def test_a_name_without_a_folder_is_refused() -> None:
    with pytest.raises(OutputError, match="write it as s3://BUCKET/FOLDER/NAME"):
        Upload.begin("s3://bucket", None)


def test_every_storage_takes_the_name_of_the_mark() -> None:
    # Azure: names of metadata are identifiers of C#. HTTP servers: no underscore by default.
    assert re.fullmatch("[a-z][a-z0-9]*", uploads.MARK)
