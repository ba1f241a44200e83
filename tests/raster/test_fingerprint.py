"""A changed raster has another fingerprint, for every kind of raster."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from makers import make_raster, noise
from odd_rasters import ODD

from geochange.raster.fingerprint import fingerprint_of
from geochange.raster.reader import inspect_raster

ODD_MASKS = ("VRT with a mask", "VRT with a mask in the last band alone")


def mosaic(path: Path, source: str) -> Path:
    path.write_text(
        '<VRTDataset rasterXSize="9" rasterYSize="8"><SRS>EPSG:32632</SRS>'
        "<GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">'
        f"{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        "</VRTDataset>"
    )
    return path


def touch(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def test_it_is_plain_and_stays_while_nothing_changes(tmp_path: Path) -> None:
    info = inspect_raster(
        make_raster(tmp_path / "a.tif", noise((8, 9)).astype("float32"), nodata=float("nan"))
    )
    assert fingerprint_of(info) == fingerprint_of(inspect_raster(tmp_path / "a.tif"))
    assert json.loads(json.dumps(fingerprint_of(info))) == fingerprint_of(info)


@pytest.mark.parametrize("name", ["a.tif", "a.tif.msk", "inner.vrt", "outer.vrt"])
def test_every_file_behind_it_counts(tmp_path: Path, name: str) -> None:
    mask = noise((8, 9)) > 20
    make_raster(tmp_path / "a.tif", noise((8, 9)), mask=mask, internal_mask=False)
    mosaic(tmp_path / "inner.vrt", "a.tif")
    info = inspect_raster(mosaic(tmp_path / "outer.vrt", "inner.vrt"))
    was = fingerprint_of(info)
    touch(tmp_path / name)
    assert fingerprint_of(info) != was


@pytest.mark.parametrize("name", ODD_MASKS)
@pytest.mark.parametrize("file", ["m.tif", "a.vrt", "band2.tif"])
def test_the_file_behind_a_mask_counts(tmp_path: Path, name: str, file: str) -> None:
    info = inspect_raster(ODD[name](tmp_path).path)
    was = fingerprint_of(info)
    touch(tmp_path / file)
    assert fingerprint_of(info) != was


def test_what_is_shown_beside_it_does_not_count(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise((8, 9)))
    was = fingerprint_of(inspect_raster(path))
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")
    assert fingerprint_of(inspect_raster(path)) == was


def test_a_file_that_is_gone_has_changed(tmp_path: Path) -> None:
    info = inspect_raster(make_raster(tmp_path / "a.tif", noise((8, 9))))
    was = fingerprint_of(info)
    (tmp_path / "a.tif").unlink()
    assert fingerprint_of(info) != was


def test_of_a_file_in_an_archive_the_archive_counts(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", noise((8, 9)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.tif", "in/a.tif")
    for name in (f"/vsizip/{tmp_path}/a.zip/in/a.tif", f"zip://{tmp_path}/a.zip!in/a.tif"):
        info = inspect_raster(name)
        was = fingerprint_of(info)
        touch(tmp_path / "a.zip")
        assert fingerprint_of(info) != was, name
