"""0 is nodata in Sentinel-2, whether the product is opened, or the files of its bands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from containers import PRODUCT, make_sentinel2
from makers import make_raster, noise

from geochange.errors import InputError
from geochange.inputs.inspection import DateReport
from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.reader import RasterInfo, inspect_raster
from geochange.raster.scene.sampling import SceneSample
from geochange.raster.sentinel2 import IMAGE
from geochange.raster.sources.resolve import inspect_source, source_of
from geochange.workflows.inspect_pair import inspect_pair

SPECIAL = "".join(
    f"<Special_Values><SPECIAL_VALUE_TEXT>{name}</SPECIAL_VALUE_TEXT>"
    f"<SPECIAL_VALUE_INDEX>{value}</SPECIAL_VALUE_INDEX></Special_Values>"
    for name, value in (("NODATA", 0), ("SATURATED", 65535))
)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product at the edge of a swath: the left half of its bands is 0."""
    folder = make_sentinel2(tmp_path_factory.mktemp("s2"))
    file = folder / "MTD_MSIL2A.xml"
    there = "<Product_Image_Characteristics>"
    text = file.read_text().replace(
        there.replace(">", "/>"), there + SPECIAL + there.replace("<", "</")
    )
    file.write_text(text)
    for image in folder.rglob("*.jp2"):
        with rasterio.open(image) as raster:
            pixels, profile = raster.read(), raster.profile
        pixels[:, :, :32] = 0
        with rasterio.open(
            image, "w", **{**profile, "QUALITY": 100, "REVERSIBLE": "YES"}
        ) as raster:
            raster.write(pixels)
    return folder


def half_is_missing(info: RasterInfo) -> bool:
    bands = tuple(range(1, min(3, len(info.bands)) + 1))
    sample = SceneSample(align_pair(info, info, "before", Bands(bands, bands)))
    return sample.nodata_shares() == (0.5, 0.5) and sample.fills == ()


def test_the_product_says_so_in_its_metadata(product: Path) -> None:
    info = inspect_source(f"SENTINEL2_L2A:{product}/MTD_MSIL2A.xml:10m:EPSG_32632")
    assert {band.nodata for band in info.bands} == {0}, "not the value of saturation"
    assert info.origin.nodata_rule == "Sentinel-2" and info.origin.driver == "SENTINEL2"
    assert half_is_missing(info)


@pytest.mark.parametrize("bands", [["B08"], ["B04", "B03", "B02"]])
def test_the_bands_say_so_by_their_names(product: Path, tmp_path: Path, bands: list[str]) -> None:
    patterns = [f"{product}/GRANULE/*/IMG_DATA/R10m/*_{band}_10m.jp2" for band in bands]
    info = inspect_source(" + ".join(patterns))
    assert info.origin.nodata_rule == "Sentinel-2" and half_is_missing(info)
    files = [next(product.rglob(f"*_{band}_10m.jp2")) for band in bands]
    for file in files:
        shutil.copy(file, tmp_path)
    assert half_is_missing(inspect_source(" + ".join(str(tmp_path / file.name) for file in files)))
    (tmp_path / files[0].name).rename(tmp_path / "own_B04.jp2")
    assert inspect_raster(tmp_path / "own_B04.jp2").bands[0].nodata is None


@pytest.mark.parametrize(
    ("name", "is_image"),
    [
        ("T30UWU_20200101T000000_B04_10m.jp2", True),
        ("/a/T30UWU_20200101T000000_B8A.jp2", True),
        ("/a/L2A_T30UWU_20200101T000000_TCI_10m.jp2", True),
        ("/vsizip/a.zip/x.SAFE/GRANULE/y/IMG_DATA/S2A_OPER_MSI_L1C_TL_T30UWU_B04.jp2", True),
        ("x.SAFE/GRANULE/y/QI_DATA/MSK_CLDPRB_20m.jp2", False),
        ("x.SAFE/GRANULE/y/QI_DATA/MSK_QUALIT_B04.jp2", False),
        ("x.SAFE/GRANULE/y/QI_DATA/MSK_DETFOO_B04.jp2", False),
        ("T30UWU_20200101T000000_AOT_10m.jp2", True),
        ("T30UWU_20200101T000000_SCL_20m.jp2", False),
        ("T30UWU_20200101T000000_B04_10m.tif", False),
        ("B04.jp2", False),
    ],
)
def test_files_of_bands_are_known_by_place_or_full_name(name: str, is_image: bool) -> None:
    assert bool(IMAGE.search(name)) is is_image


def test_percentages_and_declared_values_stay(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise((8, 8, 2), dtype=np.uint16))
    with rasterio.open(path, "r+") as raster:  # as gdal_translate writes a part of a product
        raster.update_tags(SPECIAL_VALUE_NODATA="0", SPECIAL_VALUE_SATURATED="65535")
        raster.descriptions = (
            "B5, central wavelength 704 nm",
            "CLD, Raster mask values range 0-100",
        )
    assert [band.nodata for band in inspect_raster(path).bands] == [0, None]
    with rasterio.open(path, "r+") as raster:
        raster.nodata = 7
    info = inspect_raster(path)
    assert [band.nodata for band in info.bands] == [7, 7] and not info.origin.nodata_rule


def test_a_file_that_was_scaled_to_8_bits_has_black_pixels(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise((8, 8, 3)))
    with rasterio.open(path, "r+") as raster:  # gdal_translate -ot Byte -scale keeps the tag
        raster.update_tags(SPECIAL_VALUE_NODATA="0")
    assert [band.nodata for band in inspect_raster(path).bands] == [None] * 3


def test_a_product_without_the_file_of_a_band_is_refused(product: Path, tmp_path: Path) -> None:
    lacking = tmp_path / product.name
    shutil.copytree(product, lacking)
    next(lacking.rglob("*_B03_10m.jp2")).unlink()
    with pytest.raises(InputError, match=r"lacks its files of B03; fetch it again"):
        inspect_source(str(lacking))


def test_a_product_stands_for_its_bands_wherever_a_raster_is_named(product: Path) -> None:
    part = source_of(product)
    assert part.startswith("SENTINEL2_L2A:") and ":10m:" in part
    assert source_of(part) == part
    assert source_of(f"{product} + {product}") == f"{part} + {part}"


def test_check_says_so_in_a_word(product: Path) -> None:
    from geochange.cli.commands.check import _rows

    assert re.search(r"\.SAFE$", str(product)) and product.name.startswith(PRODUCT)
    date: DateReport = inspect_pair(product, product).before
    assert dict(_rows(date))["nodata"] == "50.0% (0, Sentinel-2)"
