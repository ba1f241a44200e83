"""Errors on opening a raster: what was found, and the cure."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from makers import make_raster, noise

from geochange.cli.main import _exit_code
from geochange.errors import InputError
from geochange.raster.sources import open_failures
from geochange.raster.sources.open_failures import MAGIC_BYTES, SUFFIXES
from geochange.raster.sources.resolve import inspect_source

WITHOUT: set[str] = set()
WITH = {*MAGIC_BYTES.values(), *SUFFIXES.values()}


@pytest.mark.parametrize(("built", "said"), [(WITHOUT, "is {}, and GDAL here is"), (WITH, "not a")])
@pytest.mark.parametrize("start", MAGIC_BYTES)
def test_a_file_is_known_by_how_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, built: set[str], said: str
) -> None:
    monkeypatch.setattr(open_failures, "gdal_drivers", lambda: built)
    path = tmp_path / "a.dat"
    path.write_bytes(start + bytes(300))
    assert said.format(MAGIC_BYTES[start]) in open_failures.explain_open_failure(
        str(path), OSError()
    )


@pytest.mark.parametrize(("built", "said"), [(WITHOUT, "is {}, and GDAL here is"), (WITH, "not a")])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_known_by_its_suffix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, built: set[str], said: str
) -> None:
    monkeypatch.setattr(open_failures, "gdal_drivers", lambda: built)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(300))
    assert said.format(SUFFIXES[suffix]) in open_failures.explain_open_failure(str(path), OSError())


def test_the_drivers_are_those_of_gdal() -> None:
    assert {"GTiff", "VRT"} <= open_failures.gdal_drivers()


def test_the_rest_is_no_raster(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("nothing of the kind")
    (tmp_path / "empty.tif").touch()
    for name, said in {
        "a.tif": "not a raster GDAL can read; give a GeoTIFF",
        "empty.tif": "the file is empty; fetch or export it again",
        "gone:a.tif": "no such file; check the path",
    }.items():
        with pytest.raises(InputError, match=said):
            inspect_source(tmp_path / name)
    with pytest.raises(InputError, match=r"cannot be opened .* check the address and your access"):
        inspect_source("NETCDF:gone.nc:red")


@pytest.mark.parametrize(
    "name", ["https://host/a.nc", "s3://bucket/a.h5", "/vsicurl/https://host/a.HDF", "a.he5?key=1"]
)
def test_hdf_on_a_server_is_fetched_first(name: str) -> None:
    path = name if "/" in name else f"https://host/{name}"
    said = open_failures.explain_open_failure(path, OSError("not recognized"))
    assert said.endswith("so it is not opened on a server; fetch it and name the copy")
    assert "check the address" in open_failures.explain_open_failure(
        "https://host/a.h.tif", OSError("no")
    )


def test_a_tag_that_states_too_many_values_is_damage(tmp_path: Path) -> None:
    """libtiff calls it "out of memory"."""
    path = make_raster(tmp_path / "a.tif", noise((40, 60, 3)))
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    bits = next(at for at in range(start + 2, len(data), 12) if data[at : at + 2] == b"\x02\x01")
    struct.pack_into("<I", data, bits + 4, 627_048_449)
    path.write_bytes(data)
    with pytest.raises(InputError, match="not a raster GDAL can read"):
        inspect_source(path)
    assert _exit_code(["check", str(path), str(path), "--quiet"]) == 2


def test_a_missing_file_on_a_drive_of_windows_is_no_address() -> None:
    assert "no such file" in open_failures.explain_open_failure(r"C:\data\before.tif", OSError("x"))
    assert "no such file" in open_failures.explain_open_failure("C:/data/before.tif", OSError("x"))
    assert "no such file" not in open_failures.explain_open_failure(
        "NETCDF:/data/a.nc:red", OSError("x")
    )
