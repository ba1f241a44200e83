"""Resolving names: an existing file first, then archives and products."""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from containers import BANDS, PRODUCT, make_sentinel2
from makers import NORTH_UP, make_raster, noise
from range_server import serve_folder

from geochange.errors import InputError
from geochange.raster.bands import Bands
from geochange.raster.fingerprint import files_of, fingerprint_of
from geochange.raster.pair import align_pair
from geochange.raster.reader import opened
from geochange.raster.sources import subdatasets
from geochange.raster.sources.resolve import inspect_source, source_of

PIXELS = noise((12, 15, 3))

NAMES = (
    *("a#b.tif", "a.json#b.tif", "a + b.tif", "a+b.tif", "a*b.tif", "a?b.tif", "a[1].tif"),
    *("a!b.tif", "a.zip!b.tif", "a;b.tif", "a:b.tif", "zip:a.tif", "GTI:a.tif", "NETCDF:a.tif"),
    *("http:a.tif", "file:a.tif", "~a.tif", " a.tif", "a%20b.tif", "ä.tif", "a\nb.tif", "-a.tif"),
    *("<a>.tif", "a'b\".tif", "a.gti.tif", "a.zip.tif", "a"),
)
FOLDERS = (
    "items",
    "a#b",
    "a + b",
    "a[1]",
    "a*b",
    "a?b",
    "zip:a",
    "a.SAFE",
    "a.json",
    "a.zip",
    "~a",
)


def read(path: str) -> np.ndarray:
    with opened(path) as dataset:
        return np.moveaxis(dataset.read(), 0, -1)


@pytest.mark.slow
@pytest.mark.parametrize("is_relative", [True, False], ids=["relative", "absolute"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_has_the_name_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_relative: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.move(make_raster(tmp_path / "plain.tif", PIXELS), tmp_path / name)
    info = inspect_source(name if is_relative else tmp_path / name)
    assert info.path == str(tmp_path / name)
    assert info.files == (str(tmp_path / name),)
    np.testing.assert_array_equal(read(info.path), PIXELS)


@pytest.mark.slow
@pytest.mark.parametrize("is_relative", [True, False], ids=["relative", "absolute"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_signs_in_a_folders_name_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, is_relative: bool
) -> None:
    """For a file, for stacked bands, and for tiles."""
    place = tmp_path / folder
    place.mkdir()
    monkeypatch.chdir(place)
    start = "" if is_relative else f"{place}/"
    make_raster(place / "b.tif", PIXELS[..., :2])
    make_raster(place / "c.tif", PIXELS[..., 2])
    assert inspect_source(f"{start}b.tif").path == str(place / "b.tif")
    stack = inspect_source(f"{start}b.tif + {start}c.tif").path
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read(stack), PIXELS)
    make_raster(place / "t1.tif", PIXELS[:, :7])
    make_raster(place / "t2.tif", PIXELS[:, 7:], transform=NORTH_UP @ Affine.translation(7, 0))
    monkeypatch.chdir(place)
    tiles = inspect_source(f"{start}t?.tif").path
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(read(tiles), PIXELS)
    with pytest.raises(InputError, match=r"gone\.tif: no such file; check the path"):
        inspect_source(place / "gone.tif")


def test_a_pair_of_odd_names_is_warped_like_any(tmp_path: Path) -> None:
    moved = NORTH_UP @ Affine.translation(0.5, 0.5)
    place = tmp_path / "a + b[1]#items"
    place.mkdir()
    plain, odd = (make_raster(f / "c.tif", PIXELS, transform=moved) for f in (tmp_path, place))
    other = inspect_source(make_raster(tmp_path / "other.tif", PIXELS))
    answers = []
    for path in (plain, odd):
        with align_pair(
            other, inspect_source(path), "before", Bands((1,), (1,))
        ).after.reader() as look:
            answers.append(look(other.grid.full_window))
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_array_equal(answers[0][1], answers[1][1])


def pack(folder: Path, name: str, *members: str) -> Path:
    """An archive of the same raster under several names; other files are text."""
    raster, archive = make_raster(folder / "plain.tif", PIXELS), folder / name
    text = folder / "plain.txt"
    text.write_text("about")
    sources = {member: raster if member.endswith((".tif", ".jp2")) else text for member in members}
    if name.lower().endswith((".zip", ".kmz")):
        with zipfile.ZipFile(archive, "w") as opened_zip:
            for member, source in sources.items():
                opened_zip.write(source, member)
    else:
        with tarfile.open(archive, "w:gz" if name.endswith("gz") else "w") as opened_tar:
            for member, source in sources.items():
                opened_tar.add(source, member)
    raster.unlink()
    return archive


ARCHIVES = ("a.zip", "a b#c.zip", "a!b.zip", "A.ZIP", "a.SAFE.zip", "a.kmz", "a.tar", "a.tar.gz")


@pytest.mark.parametrize("name", [*ARCHIVES, "a.tgz"])
@pytest.mark.parametrize("is_relative", [True, False], ids=["relative", "absolute"])
def test_the_one_raster_of_an_archive_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_relative: bool
) -> None:
    archive = pack(tmp_path, name, "./in/b c.tif", "in/readme.txt", "in/preview.png")
    monkeypatch.chdir(tmp_path)
    info = inspect_source(name if is_relative else archive)
    monkeypatch.chdir(tmp_path.parent)
    kind = "tar" if "tar" in name or "tgz" in name else "zip"
    assert info.path == f"/vsi{kind}/{archive}/in/b c.tif"
    np.testing.assert_array_equal(read(info.path), PIXELS)
    stamp = fingerprint_of(info)[-1]
    assert stamp[1] == archive.stat().st_size, "an archive that changes is another raster"


def test_a_file_of_an_archive_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(tmp_path, "a.zip", "in/b.tif", "c.tif")
    monkeypatch.chdir(tmp_path)
    for name in (
        "zip://a.zip!in/b.tif",
        f"zip://{archive}!/in/b.tif",
        f"zip+file://{archive}!in/b.tif",
        "/vsizip/a.zip/in/b.tif",
        f"/vsizip/{archive}/in/b.tif",
        f"/vsizip{archive}/in/b.tif",
    ):
        assert inspect_source(name).path == f"/vsizip/{archive}/in/b.tif"
    with gzip.open(tmp_path / "d.tif.gz", "wb") as file:
        file.write(make_raster(tmp_path / "d.tif", PIXELS).read_bytes())
    for name in ("d.tif.gz", "gzip://d.tif.gz", "/vsigzip/d.tif.gz"):
        assert inspect_source(name).path == f"/vsigzip/{tmp_path}/d.tif.gz"


def test_files_of_archives_can_be_stacked_and_warped(tmp_path: Path) -> None:
    archive = pack(tmp_path, "a.zip", "b.tif", "c.tif")
    stack = inspect_source(f"zip://{archive}!b.tif + zip://{archive}!c.tif")
    np.testing.assert_array_equal(read(stack.path), np.dstack([PIXELS, PIXELS]))
    moved = NORTH_UP @ Affine.translation(0.5, 0.5)
    other = inspect_source(make_raster(tmp_path / "other.tif", PIXELS, transform=moved))
    one = inspect_source(f"zip://{archive}!b.tif")
    with align_pair(other, one, "before", Bands((1,), (1,))).after.reader() as look:
        assert look(other.grid.full_window)[1].any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHIVES)
def test_several_rasters_are_listed_and_each_can_be_named(tmp_path: Path, name: str) -> None:
    members = [f"in/B{band}.tif" for band in range(6)]
    archive = pack(tmp_path, name, *members, "in/about.xml")
    with pytest.raises(
        InputError, match=r"holds 6 rasters; name one, or several with ' \+ '"
    ) as told:
        inspect_source(archive)
    text = str(told.value).partition("between: ")[2]
    assert text.endswith(" and 2 more") and "\n" not in text
    for cure in shlex.split(text.removesuffix(" and 2 more").replace(",", "")):
        assert inspect_source(cure).grid.shape == PIXELS.shape[:2]
    both = shlex.split(text.replace(",", ""))[:2]
    assert len(inspect_source(" + ".join(both)).files) == 0  # a stack is created in memory
    assert len(files_of(inspect_source(" + ".join(both)))) == 3


@pytest.mark.parametrize(
    ("name", "members", "said"),
    [
        ("a.zip", ("a.txt", "b.txt"), r"a\.zip: holds no raster, only a\.txt, b\.txt"),
        ("a.tar.gz", (), r"a\.tar\.gz: holds no raster, only nothing"),
        ("a.7z", None, "is an archive that GDAL does not read; unpack it first"),
        ("a.tar.bz2", None, "is an archive that GDAL does not read; unpack it first"),
        ("a.zip", None, r"a\.zip: damaged, or not an archive"),
        ("a.tif.gz", None, "holds no raster that GDAL can read; unpack it and check"),
    ],
)
def test_archives_without_a_raster(
    tmp_path: Path, name: str, members: tuple[str, ...] | None, said: str
) -> None:
    if members is None:
        (tmp_path / name).write_bytes(b"nothing of the kind")
    else:
        pack(tmp_path, name, *members)
    with pytest.raises(InputError, match=said) as refused:
        inspect_source(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_what_is_not_in_an_archive_is_said_with_what_is(tmp_path: Path) -> None:
    archive = pack(tmp_path, "a.zip", "in/b.tif", "c.txt")
    with pytest.raises(InputError, match=r"no such file in a\.zip; it holds in/b\.tif, c\.txt"):
        inspect_source(f"zip://{archive}!b.tif")
    with pytest.raises(InputError, match="not a raster GDAL can read; name another file"):
        inspect_source(f"zip://{archive}!c.txt")


@pytest.mark.slow
def test_an_archive_on_a_server_is_read_by_the_name_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geochange.raster.access.retry.sleep", lambda pause_s: None)
    (tmp_path / "here").mkdir()
    (tmp_path / "notes").mkdir()
    pack(tmp_path / "here", "a.zip", "b.tif")
    moved = NORTH_UP @ Affine.translation(0.5, 0.5)
    other = inspect_source(make_raster(tmp_path / "other.tif", PIXELS, transform=moved))
    with serve_folder(tmp_path / "here", tmp_path / "notes") as server:
        with pytest.raises(InputError, match="is an archive on a server; name the raster") as told:
            inspect_source(f"{server.url}/a.zip")
        (cure,) = re.findall(r"\((\S+!)FILE\.tif\)", str(told.value))
        info = inspect_source(f"{cure}b.tif")
        np.testing.assert_array_equal(read(info.path), PIXELS)
        pair = align_pair(other, info, "before", Bands((1,), (1,)))
        with pair.after.reader() as look:
            assert look(pair.grid.full_window)[1].any()


@pytest.mark.slow
def test_the_colours_of_a_sentinel_2_product_are_taken_however_it_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    product = make_sentinel2(tmp_path)
    with zipfile.ZipFile(tmp_path / f"{PRODUCT}.SAFE.zip", "w") as archive:
        for file in sorted(product.rglob("*")):
            archive.write(file, file.relative_to(tmp_path))
    shutil.copy(tmp_path / f"{PRODUCT}.SAFE.zip", tmp_path / "odd.zip")
    for name in (product, product / "MTD_MSIL2A.xml", f"{product}.zip", tmp_path / "odd.zip"):
        caplog.clear()
        with caplog.at_level("INFO"):
            info = inspect_source(name)
        assert info.path in caplog.text and "its bands of 10 m are taken" in caplog.text
        assert re.fullmatch(r"SENTINEL2_L2A:\S+MTD_MSIL2A.xml:10m:EPSG_32632", info.path)
        assert info.grid.shape == (64, 64) and info.grid.crs.to_epsg() == 32632
        assert [band.name[:2] for band in info.bands[:3]] == ["B4", "B3", "B2"]
        np.testing.assert_array_equal(read(info.path)[..., 0], noise((64, 64), BANDS.index("B04")))
    assert inspect_source(info.path) == info, "its name is that of the same raster"


def test_a_product_of_two_zones_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its parts of 10 m none is more likely to be meant."""
    product = make_sentinel2(tmp_path)
    names = subdatasets._names
    monkeypatch.setattr(subdatasets, "_names", lambda of: [*names(of), *names(of)])
    with pytest.raises(InputError, match="holds no band of its own; name one of its") as refused:
        inspect_source(product)
    assert str(refused.value).endswith("; the one of 10m has red, green and blue")
    assert re.search(r"SENTINEL2_L2A:\S+:10m:EPSG_32632", str(refused.value))


def test_a_folder_is_no_raster(tmp_path: Path) -> None:
    (tmp_path / "x.SAFE").mkdir()
    for path in (tmp_path, tmp_path / "x.SAFE"):
        with pytest.raises(InputError, match="is a folder; name the raster in it"):
            inspect_source(path)


def test_a_home_is_meant_by_its_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make_raster(tmp_path / "a.tif", PIXELS)
    assert source_of("~/a.tif") == str(tmp_path / "a.tif")
    assert source_of("~/*.tif") == str(tmp_path / "*.tif")
