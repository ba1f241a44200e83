"""Rasters on a failing web server: read again, then reported; never with wrong pixels."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from makers import make_raster, noise
from range_server import CLOSE, DROP, REFUSE, STALL, Fault, RangeServer, serve_folder
from tiff_damage import place_of

from geochange.cli.main import _exit_code
from geochange.errors import InputError, RunError
from geochange.raster.access import retry
from geochange.raster.access.remote import (
    HTTP_OPTIONS,
    endpoint_options,
    is_remote,
    is_transient,
)
from geochange.raster.fingerprint import fingerprint_of
from geochange.raster.reader import gdal_environment, inspect_raster, opened
from geochange.workflows.detect import Result, detect

pytestmark = pytest.mark.slow

PATIENCE = {
    "GDAL_HTTP_LOW_SPEED_TIME": "1",
    "GDAL_HTTP_RETRY_DELAY": "0.05",
    "GDAL_HTTP_MAX_RETRY": "2",
}
"""Settings that a user may set, and that tests need."""


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(retry, "sleep", slept.append)
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    return slept


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    """Serves a pair of 300 KB each."""
    for folder in ("www", "notes"):
        (tmp_path / folder).mkdir()
    tiled = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    pixels = noise((320, 320, 3))
    make_raster(tmp_path / "www" / "before.tif", pixels, **tiled)
    pixels[100:140, 50:90] += 55
    make_raster(tmp_path / "www" / "after.tif", pixels, **tiled)
    with serve_folder(tmp_path / "www", tmp_path / "notes") as running:
        yield running


def run(source: str | Path, out: Path, **options: Any) -> Result:
    small = {"tile": 64, "overlap": 16, "block": 2, "threads": 2, "min_area": 0, "report": "none"}
    options = {"model": "cva", **small, **options}
    return detect(f"{source}/before.tif", f"{source}/after.tif", out, **options)


PASSING = {
    "500": [Fault(REFUSE, 2, 3), Fault(REFUSE, 8, 9), Fault(REFUSE, 14, 20)],
    "500 beyond GDAL's own tries": [Fault(REFUSE, 1, 4), Fault(REFUSE, 20, 23)],
    "stalls": [Fault(STALL, 1, 1), Fault(STALL, 12, 12), Fault(STALL, 20, 20)],
    "bodies cut off": [Fault(DROP, 2, 2), Fault(DROP, 9, 11), Fault(DROP, 17, 20)],
    "no answer": [Fault(CLOSE, 1, 2), Fault(CLOSE, 8, 9), Fault(CLOSE, 18, 19)],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING.keys())
def test_what_passes_leaves_no_trace(
    tmp_path: Path, server: RangeServer, faults: list[Fault]
) -> None:
    local = run(server.folder, tmp_path / "local.gpkg")
    server.set_faults(*faults)
    remote = run(server.url, tmp_path / "remote.gpkg")
    assert len(server.requests()) > 20
    assert remote.raster.read_bytes() == local.raster.read_bytes()
    assert remote.changes.geometry.to_wkb().equals(local.changes.geometry.to_wkb())
    assert local.polygons > 0
    assert not remote.unreadable


def test_only_the_files_themselves_are_asked_for(tmp_path: Path, server: RangeServer) -> None:
    run(server.url, tmp_path / "remote.gpkg")
    assert {line.split()[1] for line in server.requests()} == {"/before.tif", "/after.tif"}


@pytest.mark.parametrize("kind", [REFUSE, STALL, CLOSE])
def test_a_server_that_never_answers_is_named_with_what_was_tried(
    server: RangeServer, kind: str, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == STALL:  # each costs a second
        monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    server.set_faults(Fault(kind))
    url = f"{server.url}/before.tif"
    with pytest.raises(InputError, match=r"tried 3 times\); check the address") as caught:
        inspect_raster(url)
    assert str(caught.value).startswith(f"{url}: cannot be opened (")
    assert "\n" not in str(caught.value)
    assert naps == list(retry.PAUSES_S)
    assert len(server.requests()) <= 18


def test_a_file_that_is_not_there_is_asked_for_once(server: RangeServer, naps: list[float]) -> None:
    with pytest.raises(InputError, match=r"404\); check the address"):
        inspect_raster(f"{server.url}/nowhere.tif")
    assert naps == []


def test_a_server_that_dies_on_the_way_ends_the_run_which_goes_on_later(
    tmp_path: Path, server: RangeServer
) -> None:
    local = run(server.folder, tmp_path / "local.gpkg")
    out = tmp_path / "remote.gpkg"

    def cut(stage: str, done: int, total: int) -> None:
        if stage == "infer" and done:
            server.set_faults(Fault(REFUSE))

    with pytest.raises(RunError, match=r"/(before|after)\.tif: cannot be opened .*tried 3 times"):
        run(server.url, out, progress=cut, block=1, threads=1)
    assert not out.exists()
    server.set_faults()
    resumed = run(server.url, out, block=1, threads=1)
    assert resumed.resumed
    assert resumed.raster.read_bytes() == local.raster.read_bytes()


def test_bytes_that_a_server_never_gives_are_named_and_skipped_when_asked(
    tmp_path: Path,
    server: RangeServer,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    lost = (2, 2)  # a tile of 12 KB; GDAL requests 16 KB at a time
    offset, size = place_of(server.folder / "before.tif", lost)
    server.set_faults(Fault(REFUSE, start=offset, stop=offset + size))
    words = ["run", f"{server.url}/before.tif", f"{server.url}/after.tif", "--quiet"]
    words += ["--model", "cva"]
    words += ["--out", str(tmp_path / "x.gpkg"), "--tile", "64", "--overlap", "16", "--block", "2"]
    assert _exit_code(words) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert re.search(rf"{server.url}/before\.tif: pixels of rows \d+-\d+, columns", said)
    assert "tried 3 times" in said
    assert _exit_code([*words, "--skip-unreadable"]) == 0
    with rasterio.open(tmp_path / "x.tif") as raster:
        missing = raster.read(1) == 255
    assert missing[128:192, 128:192].all()
    # GDAL requests whole 16 KB, so the adjacent tiles may fail too.
    assert missing.sum() <= 3 * 64 * 64


def test_a_remote_file_that_changed_starts_afresh(tmp_path: Path, server: RangeServer) -> None:
    out = tmp_path / "remote.gpkg"
    first = run(server.url, out, keep_work=True)
    assert run(server.url, out, keep_work=True).resumed
    after = server.folder / "after.tif"
    after.write_bytes((server.folder / "before.tif").read_bytes())
    again = run(server.url, out, keep_work=True)
    assert not again.resumed
    assert first.polygons > 0 == again.polygons


def test_what_a_server_tells_is_the_identity(server: RangeServer) -> None:
    info = inspect_raster(f"{server.url}/before.tif")
    size = os.stat(server.folder / "before.tif").st_size
    server.set_faults(Fault(REFUSE, 1, 2))
    told = fingerprint_of(info)
    assert told[3] == [info.path, str(size), told[3][2]]
    assert told[3][2].startswith('"')
    server.set_faults(tags=False)
    assert fingerprint_of(info)[3] == [info.path, str(size), None]
    server.set_faults(Fault(CLOSE))
    with pytest.raises(RunError, match=r"does not answer .* asked 3 times"):
        fingerprint_of(info)


def test_the_users_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "7")
    monkeypatch.setenv("GDAL_PNG_WHOLE_IMAGE_OPTIM", "YES")
    options = gdal_environment().options
    assert not {"GDAL_HTTP_MAX_RETRY", "GDAL_PNG_WHOLE_IMAGE_OPTIM"} & options.keys()
    assert options["GDAL_HTTP_CONNECTTIMEOUT"] == HTTP_OPTIONS["GDAL_HTTP_CONNECTTIMEOUT"]


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("https://x.org/a.tif", True),
        ("/vsicurl/https://x.org/a.tif", True),
        ("s3://bucket/a.tif", True),
        ("zip+https://x.org/a.zip!a.tif", True),
        ("/vsizip//vsicurl/https://x.org/a.zip/a.tif", True),
        ("/data/a.tif", False),
        ("file:///data/a.tif", False),
        ("zip:///data/a.zip!a.tif", False),
        ("/vsizip/data/a.zip/a.tif", False),
        ("C:/data/https/a.tif", False),
    ],
)
def test_what_is_remote(path: str, remote: bool) -> None:
    assert is_remote(path) is remote
    assert is_transient(path, OSError("HTTP response code: 503")) is remote
    assert not is_transient(path, OSError("HTTP response code: 404"))


def test_masks_beside_local_files_are_still_found(tmp_path: Path) -> None:
    mask = np.ones((8, 9), bool)
    mask[2] = False
    path = make_raster(tmp_path / "a.tif", noise((8, 9)), mask=mask, internal_mask=False)
    with opened(str(path)) as dataset:
        assert (dataset.read_masks(1)[2] == 0).all()


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("http://127.0.0.1:9000", ("127.0.0.1:9000", "NO")),
        ("https://s3.example.org/", ("s3.example.org", "YES")),
        ("https://example.org/minio", ("example.org/minio", "YES")),
    ],
)
def test_gdal_uses_the_s3_server_of_other_clients(
    address: str, options: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    found = endpoint_options()
    assert (found["AWS_S3_ENDPOINT"], found["AWS_HTTPS"]) == options
    assert found["AWS_VIRTUAL_HOSTING"] == "FALSE"


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://x", "http://"])
def test_without_an_s3_server_gdal_uses_its_own(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    assert endpoint_options() == {}
