"""Images on servers and of items lead to no other file, whatever their metadata name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import rasterio
from makers import make_raster, noise
from range_server import serve_folder

from geochange.errors import InputError
from geochange.raster.access.self_contained_files import open_picture_file
from geochange.raster.reader import inspect_raster, opened


def overviews_by_a_tag(path: Path, secret: Path) -> None:
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(secret))


def overviews_by_a_file_beside_it(path: Path, secret: Path) -> None:
    path.with_name("a.tif.ovr").write_text(virtual(secret, 32))


def a_mask_beside_it(path: Path, secret: Path) -> None:
    path.with_name("a.tif.msk").write_text(virtual(secret, 64))


def a_tag_beside_it(path: Path, secret: Path) -> None:
    path.with_name("a.tif.aux.xml").write_text(
        f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{secret}</MDI>'
        "</Metadata></PAMDataset>"
    )


def virtual(secret: Path, side: int) -> str:
    return (
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><VRTRasterBand dataType="Byte" '
        f'band="1"><SimpleSource><SourceFilename relativeToVRT="0">{secret}</SourceFilename>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


WAYS = [overviews_by_a_tag, overviews_by_a_file_beside_it, a_mask_beside_it, a_tag_beside_it]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """www/a.tif, and secret.tif in another folder."""
    for folder in ("www", "notes", "away"):
        (tmp_path / folder).mkdir()
    make_raster(tmp_path / "away" / "secret.tif", noise((32, 32)))
    return make_raster(tmp_path / "www" / "a.tif", noise((64, 64)))


@pytest.mark.parametrize("lead", WAYS)
def test_what_leads_out_of_its_folder_is_refused(
    tmp_path: Path, image: Path, lead: Callable[[Path, Path], None]
) -> None:
    secret = tmp_path / "away" / "secret.tif"
    lead(image, secret)
    with rasterio.open(image) as plain:
        assert str(secret) in plain.files, "GDAL does not follow it: another trick is needed"
    with pytest.raises(InputError, match=r"a\.tif: leads to another file .*secret\.tif") as caught:
        open_picture_file(image)
    assert "\n" not in str(caught.value)


def test_its_own_overviews_and_mask_are_read(image: Path) -> None:
    valid = noise((64, 64)) > 99
    make_raster(image, noise((64, 64)), mask=valid, internal_mask=False)
    with rasterio.open(image, "r+") as raster:
        raster.build_overviews([2])
    with open_picture_file(image) as raster:
        assert (raster.overviews(1), len(raster.files)) == ([2], 2)
        assert ((raster.read_masks(1) > 0) == valid).all()


@pytest.mark.slow
def test_an_image_on_a_server_names_no_file_of_this_machine(tmp_path: Path, image: Path) -> None:
    overviews_by_a_tag(image, tmp_path / "away" / "secret.tif")
    make_raster(image.with_name("b.tif"), noise((64, 64)))
    with serve_folder(image.parent, tmp_path / "notes") as server:
        with pytest.raises(InputError, match="leads to another file"):
            inspect_raster(f"{server.url}/a.tif")
        assert inspect_raster(f"{server.url}/b.tif").grid.shape == (64, 64)
        # Servers are not asked for files beside an image, so these are not even seen.
        for lead in (overviews_by_a_file_beside_it, a_mask_beside_it, a_tag_beside_it):
            lead(image, tmp_path / "away" / "secret.tif")
        image.with_name("b.tif").replace(image)
        with opened(f"{server.url}/a.tif") as raster:
            assert [Path(file).name for file in raster.files] == ["a.tif"]
