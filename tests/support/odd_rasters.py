"""Odd rasters: every way of storing pixels, and of marking some as missing.

Each is a row of ODD. It is made by code, is a few pixels large, and states which of its pixels hold
data, so tests need not ask the reader under test. REFUSED lists what cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.control
import rasterio.shutil
from affine import Affine
from makers import NORTH_UP, UTM, make_raster, noise
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import ColorInterp, Resampling

SHAPE = (40, 36)
HOLE = np.zeros(SHAPE, np.bool_)
HOLE[7:19, 5:20] = True
"""Ground without data, away from the edge."""

SPOT = np.zeros(SHAPE, np.bool_)
SPOT[25:31, 22:30] = True
"""Ground that looks like missing data in some band, but is data."""

NOWHERE = np.zeros(SHAPE, np.bool_)


@dataclass(frozen=True)
class Odd:
    """A raster, by the name for opening it.

    missing: which pixels hold no data in `bands`. bands: the compared bands; None for all data bands.
    """

    path: str
    missing: NDArray[np.bool_]
    bands: tuple[int, ...] | None = None


Maker = Callable[[Path], Odd]
ODD: dict[str, Maker] = {}
REFUSED: dict[str, tuple[str, Callable[[Path], str]]] = {}
"""Refused rasters by name: the words of the error, and the maker."""


def odd(name: str) -> Callable[[Maker], Maker]:
    """Add a maker to the table."""

    def add(make: Maker) -> Maker:
        assert name not in ODD
        ODD[name] = make
        return make

    return add


def refused(name: str, words: str) -> Callable[[Callable[[Path], str]], Callable[[Path], str]]:
    """Add a maker to the refused rasters."""

    def add(make: Callable[[Path], str]) -> Callable[[Path], str]:
        assert name not in REFUSED
        REFUSED[name] = (words, make)
        return make

    return add


def ground(dtype: str = "uint8", bands: int = 3, seed: int = 0) -> NDArray[Any]:
    """(height, width, band) of data values, between 1 and 200 or their multiples."""
    pixels = noise((*SHAPE, bands), seed).astype(np.float64)
    factor = {"int8": 0.5, "uint16": 300, "int16": -100, "uint32": 2e7, "int32": -1e7}
    return np.asarray(pixels * factor.get(dtype, 1), dtype)


def holding(pixels: NDArray[Any], *values: float, where: NDArray[np.bool_] = HOLE) -> Any:
    """The pixels with a value per band, or the same for all, in some area."""
    changed = pixels.copy()
    with np.errstate(over="ignore"):
        changed[where] = np.array(values).astype(pixels.dtype)
    return changed


# Dtypes and nodata values of the whole file.

NODATA = {
    "uint8 nodata 0": ("uint8", 0),
    "uint8 nodata 255": ("uint8", 255),
    "int8 nodata -128": ("int8", -128),
    "uint16 nodata 65535": ("uint16", 65535),
    "int16 nodata -9999": ("int16", -9999),
    "int16 nodata -32768": ("int16", -32768),
    "uint32 nodata 4294967295": ("uint32", 4294967295),
    "int32 nodata -2147483648": ("int32", -2147483648),
    "int64 nodata -9999": ("int64", -9999),
    "uint64 nodata 0": ("uint64", 0),
    "float32 nodata NaN": ("float32", np.nan),
    "float32 nodata -3.4e38": ("float32", -3.4028234663852886e38),
    "float32 nodata 0.1": ("float32", 0.1),
    "float64 nodata 1e20": ("float64", 1e20),
    "float64 nodata -9999": ("float64", -9999),
    "float32 nodata infinite": ("float32", np.inf),
}


def _with_nodata(dtype: str, nodata: float) -> Maker:
    def make(folder: Path) -> Odd:
        pixels = holding(ground(dtype), nodata)
        path = make_raster(folder / "a.tif", pixels, nodata=nodata)
        return Odd(str(path), HOLE)

    return make


for _name, (_dtype, _nodata) in NODATA.items():
    odd(_name)(_with_nodata(_dtype, _nodata))


def _undeclared(dtype: str, value: float) -> Maker:
    def make(folder: Path) -> Odd:
        pixels = ground(dtype)
        pixels[HOLE, 1] = value  # one band is enough
        return Odd(str(make_raster(folder / "a.tif", pixels)), HOLE)

    return make


for _dtype, _value in (
    ("float32", -3.4028234663852886e38),
    ("float32", 9.969209968386869e36),
    ("float32", 1e20),
    ("float32", np.inf),
    ("float32", np.nan),
    ("float64", -1.7976931348623157e308),
    ("float64", 1e300),
    ("float64", -np.inf),
):
    odd(f"{_dtype} undeclared {_value:g}")(_undeclared(_dtype, _value))


@odd("uint8 plain")
def _(folder: Path) -> Odd:
    return Odd(str(make_raster(folder / "a.tif", ground())), NOWHERE)


@odd("one band")
def _(folder: Path) -> Odd:
    pixels = holding(ground("uint16", bands=1), 0)
    return Odd(str(make_raster(folder / "a.tif", pixels, nodata=0)), HOLE)


@odd("dark in one band of 8 bits")
def _(folder: Path) -> Odd:
    pixels = holding(ground(), 0)
    pixels[SPOT, 1] = 0
    return Odd(str(make_raster(folder / "a.tif", pixels, nodata=0)), HOLE)


@odd("missing in one signed band")
def _(folder: Path) -> Odd:
    pixels = ground("int16")
    pixels[HOLE, 2] = -9999
    return Odd(str(make_raster(folder / "a.tif", pixels, nodata=-9999)), HOLE)


@odd("missing in a band that is not compared")
def _(folder: Path) -> Odd:
    pixels = ground("int16")
    pixels[HOLE, 2] = -9999
    return Odd(str(make_raster(folder / "a.tif", pixels, nodata=-9999)), NOWHERE, (2, 1))


@odd("bands in another order, one twice")
def _(folder: Path) -> Odd:
    pixels = holding(ground(bands=5), 0)
    return Odd(str(make_raster(folder / "a.tif", pixels, nodata=0)), HOLE, (4, 2, 2, 1))


# Virtual rasters: a dtype, a nodata value and a mask for each band.


def vrt(folder: Path, bands: list[tuple[NDArray[Any], float | None]], **options: str) -> str:
    """A virtual raster of (height, width) bands in separate files, each with its nodata value.

    options: `says`, XML of the dataset, and `band1_says` ..., XML of a band.
    """
    text = ""
    for number, (pixels, nodata) in enumerate(bands, start=1):
        file = make_raster(folder / f"band{number}.tif", pixels)
        kind = str(pixels.dtype).capitalize().replace("Uint", "UInt").replace("UInt8", "Byte")
        told = "" if nodata is None else f"<NoDataValue>{nodata!r}</NoDataValue>"
        text += (
            f'<VRTRasterBand dataType="{kind}" band="{number}">{told}<SimpleSource>'
            f'<SourceFilename relativeToVRT="1">{file.name}</SourceFilename>'
            "<SourceBand>1</SourceBand></SimpleSource>"
            f"{options.get(f'band{number}_says', '')}</VRTRasterBand>"
        )
    numbers = ",".join(map(repr, NORTH_UP.to_gdal()))
    height, width = bands[0][0].shape
    path = folder / "a.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>{UTM.to_string()}'
        f"</SRS><GeoTransform>{numbers}</GeoTransform>{text}{options.get('says', '')}</VRTDataset>"
    )
    return str(path)


def mask_band(folder: Path, name: str, mask: NDArray[Any]) -> str:
    """The XML of a mask in a separate file."""
    make_raster(folder / name, mask.astype(np.uint8))
    return (
        '<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></MaskBand>"
    )


def _by_band(dtypes: tuple[str, ...], nodata: tuple[float | None, ...]) -> Maker:
    """Every band holds its own nodata value in the hole, and 0 without a nodata value."""

    def make(folder: Path) -> Odd:
        bands = [
            (holding(ground(dtype, 1, seed)[..., 0], 0 if mark is None else mark), mark)
            for seed, (dtype, mark) in enumerate(zip(dtypes, nodata, strict=True))
        ]
        return Odd(vrt(folder, bands), HOLE)

    return make


BY_BAND: dict[str, tuple[tuple[str, ...], tuple[float | None, ...]]] = {
    "uint16, nodata by band": (("uint16",) * 3, (0, 65535, 65535)),
    "uint8, nodata in the last band alone": (("uint8",) * 3, (None, None, 0)),
    "uint8, nodata in two bands": (("uint8",) * 3, (255, None, 0)),
    "int16, nodata by band": (("int16",) * 3, (-32768, -9999, 0)),
    "float32, NaN in one band, numbers in the others": (
        ("float32",) * 3,
        (float("nan"), -9999.0, -3.4028234663852886e38),
    ),
    "mixed types, nodata by band": (("uint8", "uint16", "float32"), (0, 65535, -9999.0)),
    "uint16 and int16": (("uint16", "int16"), (65535, -9999)),
    "uint32 and float32": (("uint32", "float32"), (4294967295, -1.0)),
    "uint8 and int16, nodata in the signed one": (("uint8", "int16"), (None, -9999)),
    "int32 and float32 and uint8": (("int32", "float32", "uint8"), (-2147483648, None, None)),
    "int8 and uint8": (("int8", "uint8"), (-128, 0)),
}
for _name, (_dtypes, _marks) in BY_BAND.items():
    odd(_name)(_by_band(_dtypes, _marks))


@odd("mixed types without nodata")
def _(folder: Path) -> Odd:
    dtypes = ("uint8", "uint16", "int16", "float64")
    return Odd(vrt(folder, [(ground(d, 1)[..., 0], None) for d in dtypes]), NOWHERE)


@odd("nodata by band, of which one holds an honest one")
def _(folder: Path) -> Odd:
    bands = [(holding(ground("uint16", 1, i)[..., 0], n), n) for i, n in enumerate((0, 65535))]
    bands[1][0][SPOT] = 65535  # saturated
    return Odd(vrt(folder, bands), HOLE)


@odd("nodata by band, bands in another order")
def _(folder: Path) -> Odd:
    marks = (0, 65535, 7)
    bands = [(holding(ground("uint16", 1, i)[..., 0], n), n) for i, n in enumerate(marks)]
    bands[0][0][HOLE] = 9  # not missing in the unused band
    return Odd(vrt(folder, bands), HOLE, (3, 2))


@odd("the nodata of one band is honest in another")
def _(folder: Path) -> Odd:
    bands = [(ground("int16", 1, i)[..., 0], n) for i, n in enumerate((-9999, -32768))]
    bands[0][0][HOLE] = -9999
    bands[1][0][SPOT] = -9999
    return Odd(vrt(folder, bands), HOLE)


@odd("nodata that the type cannot hold")
def _(folder: Path) -> Odd:
    pixels = [ground("uint8", 1)[..., 0], ground("float32", 1)[..., 0], ground("uint8", 1)[..., 0]]
    pixels += [ground("int16", 1)[..., 0]]
    return Odd(vrt(folder, list(zip(pixels, (-9999, 1e300, 0.5, 65535), strict=True))), NOWHERE)


@odd("scale and offset")
def _(folder: Path) -> Odd:
    says = "<Offset>-100</Offset><Scale>0.01</Scale>"
    bands = [(holding(ground("uint16", 1, i)[..., 0], 0), 0.0) for i in range(2)]
    return Odd(vrt(folder, bands, band1_says=says, band2_says=says), HOLE)


# Masks.


@odd("mask inside")
def _(folder: Path) -> Odd:
    return Odd(str(make_raster(folder / "a.tif", ground(), mask=~HOLE)), HOLE)


@odd("mask beside, as .msk")
def _(folder: Path) -> Odd:
    path = make_raster(folder / "a.tif", ground("uint16"), mask=~HOLE, internal_mask=False)
    assert path.with_suffix(".tif.msk").exists()
    return Odd(str(path), HOLE)


@odd("mask and nodata")
def _(folder: Path) -> Odd:
    pixels = holding(ground(), 0, where=SPOT)
    path = make_raster(folder / "a.tif", pixels, nodata=0, mask=~HOLE)
    return Odd(str(path), HOLE | SPOT)


def _msk_by_band(folder: Path, flags: int, hole: NDArray[np.bool_]) -> str:
    """A .msk file with as many bands; its second band masks the hole."""
    path = make_raster(folder / "a.tif", ground())
    masks = np.full((*SHAPE, 3), 255, np.uint8)
    masks[hole, 1] = 0
    beside = make_raster(folder / "mask.tif", masks)
    with rasterio.open(beside, "r+") as raster:
        raster.update_tags(**{f"INTERNAL_MASK_FLAGS_{i}": flags for i in (1, 2, 3)})
    beside.rename(f"{path}.msk")
    return str(path)


@odd(".msk by band")
def _(folder: Path) -> Odd:
    return Odd(_msk_by_band(folder, 0, HOLE), HOLE)


@odd(".msk by band, of a band that is not compared")
def _(folder: Path) -> Odd:
    return Odd(_msk_by_band(folder, 0, HOLE), NOWHERE, (3, 1))


@odd("VRT with a mask")
def _(folder: Path) -> Odd:
    bands = [(ground("uint8", 1, i)[..., 0], None) for i in range(3)]
    return Odd(vrt(folder, bands, says=mask_band(folder, "m.tif", ~HOLE * 255)), HOLE)


@odd("VRT with a mask in each band")
def _(folder: Path) -> Odd:
    bands = [(ground("uint8", 1, i)[..., 0], None) for i in range(3)]
    says = {
        f"band{i}_says": mask_band(folder, f"m{i}.tif", ~hole * 255)
        for i, hole in ((1, HOLE), (2, SPOT), (3, NOWHERE))
    }
    return Odd(vrt(folder, bands, **says), HOLE | SPOT)


@odd("VRT with a mask in the last band alone")
def _(folder: Path) -> Odd:
    bands = [(ground(d, 1, i)[..., 0], None) for i, d in enumerate(("uint8", "int16"))]
    return Odd(vrt(folder, bands, band2_says=mask_band(folder, "m.tif", ~HOLE * 255)), HOLE)


@odd("VRT with a mask and nodata by band")
def _(folder: Path) -> Odd:
    bands = [(holding(ground("uint16", 1, i)[..., 0], n), n) for i, n in enumerate((0, 65535))]
    return Odd(vrt(folder, bands, says=mask_band(folder, "m.tif", ~SPOT * 255)), HOLE | SPOT)


@odd("a mask of other values than 0 and 255")
def _(folder: Path) -> Odd:
    bands = [(ground("uint8", 1, i)[..., 0], None) for i in range(2)]
    mask = np.where(HOLE, 0, noise(SHAPE))
    return Odd(vrt(folder, bands, says=mask_band(folder, "m.tif", mask)), HOLE)


@odd("NODATA_VALUES")
def _(folder: Path) -> Odd:
    pixels = holding(ground(), 5, 6, 7)
    pixels[SPOT, 0] = 5  # as long as the other bands hold another value
    path = make_raster(folder / "a.tif", pixels)
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(NODATA_VALUES="5 6 7")
    return Odd(str(path), HOLE)


# Alpha.


def _alpha(place: int, dtype: str = "uint8", opaque: int = 255) -> Maker:
    def make(folder: Path) -> Odd:
        pixels = ground(dtype, bands=4)
        pixels[..., place] = np.where(HOLE, 0, np.where(SPOT, 1, opaque))
        path = make_raster(folder / "a.tif", pixels)
        with rasterio.open(path, "r+") as raster:
            kinds = [ColorInterp.undefined] * 4
            kinds[place] = ColorInterp.alpha
            raster.colorinterp = kinds
        return Odd(str(path), HOLE)

    return make


odd("alpha last")(_alpha(3))
odd("alpha first")(_alpha(0))
odd("alpha between")(_alpha(1))
odd("alpha of 16 bits")(_alpha(3, "uint16", 65535))
odd("alpha of 16 bits that is 255")(_alpha(3, "uint16"))
odd("alpha in floats")(_alpha(3, "float32", 1))


@odd("grey and alpha")
def _(folder: Path) -> Odd:
    pixels = np.dstack([ground(bands=1), np.where(HOLE, 0, 255)]).astype(np.uint8)
    return Odd(str(make_raster(folder / "a.tif", pixels, alpha=True)), HOLE)


@odd("alpha that is compared")
def _(folder: Path) -> Odd:
    pixels = holding(ground(bands=4), 0)
    return Odd(str(make_raster(folder / "a.tif", pixels, alpha=True)), NOWHERE, (4, 3, 2))


@odd("two bands flagged as alpha")
def _(folder: Path) -> Odd:
    pixels = ground(bands=5)
    pixels[..., 3] = np.where(HOLE, 0, 255)
    path = make_raster(folder / "a.tif", pixels)
    with rasterio.open(path, "r+") as raster:
        raster.colorinterp = [ColorInterp.undefined] * 3 + [ColorInterp.alpha] * 2
    return Odd(str(path), HOLE)


@odd("alpha and a mask inside")
def _(folder: Path) -> Odd:
    pixels = ground(bands=4)
    pixels[..., 3] = np.where(HOLE, 0, 255)
    return Odd(str(make_raster(folder / "a.tif", pixels, alpha=True, mask=~SPOT)), HOLE | SPOT)


@odd("alpha and nodata")
def _(folder: Path) -> Odd:
    pixels = holding(ground("int16", bands=4), -9999, where=SPOT)
    pixels[..., 3] = np.where(HOLE, 0, 255)
    return Odd(str(make_raster(folder / "a.tif", pixels, alpha=True, nodata=-9999)), HOLE | SPOT)


@odd("a band without colour interpretation")
def _(folder: Path) -> Odd:
    path = make_raster(folder / "a.tif", ground(bands=4))
    with rasterio.open(path) as raster:
        assert raster.colorinterp[3] == ColorInterp.undefined
    return Odd(str(path), NOWHERE)


@odd("a palette in a band that is not compared")
def _(folder: Path) -> Odd:
    bands = [(ground("uint8", 1, i)[..., 0], None) for i in range(3)]
    palette = "<ColorInterp>Palette</ColorInterp>"
    return Odd(vrt(folder, bands, band1_says=palette), NOWHERE, (3, 2))


# Layouts of pixels in the file.

LAYOUTS: dict[str, dict[str, Any]] = {
    "tiled": {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"},
    "one strip": {"blockysize": SHAPE[0]},
    "rows of 1 px": {"blockysize": 1, "compress": "lzw", "predictor": 2},
    "bands apart": {"interleave": "band"},
    "pixels together, ZSTD": {"interleave": "pixel", "compress": "zstd"},
    "big-endian": {"ENDIANNESS": "BIG"},
    "BigTIFF": {"BIGTIFF": "YES"},
    "12 bits": {"NBITS": 12, "dtype": "uint16"},
    "pixels are points": {"GEOTIFF_KEYS_FLAVOR": "STANDARD", "PIXEL": "POINT"},
    "south up": {"transform": Affine(10, 0, 500_000, 0, 10, 4_999_600)},
    "rotated": {"transform": NORTH_UP @ Affine.rotation(30)},
    "sheared": {"transform": NORTH_UP @ Affine.shear(20, 5)},
    "degrees": {"crs": CRS.from_epsg(4326), "transform": Affine(1e-4, 0, 9, 0, -1e-4, 45)},
    "Erdas Imagine": {"driver": "HFA"},
    "ENVI": {"driver": "ENVI"},
    "PNG with nodata": {"driver": "PNG"},
}


def _laid_out(options: dict[str, Any]) -> Maker:
    def make(folder: Path) -> Odd:
        chosen = dict(options)
        pixels = holding(ground(chosen.pop("dtype", "uint8"), bands=3) // 20, 0)
        point = chosen.pop("PIXEL", None)
        path = make_raster(folder / "a.tif", pixels, nodata=0, **chosen)
        if point:
            with rasterio.open(path, "r+") as raster:
                raster.update_tags(AREA_OR_POINT="Point")
        return Odd(str(path), HOLE)

    return make


for _name, _options in LAYOUTS.items():
    odd(_name)(_laid_out(_options))


@odd("half floats")
def _(folder: Path) -> Odd:
    pixels = holding(ground("float32"), np.nan)
    return Odd(str(make_raster(folder / "a.tif", pixels, NBITS=16)), HOLE)


@odd("JPEG in YCbCr with a mask")
def _(folder: Path) -> Odd:
    path = folder / "a.tif"
    make_raster(folder / "plain.tif", ground(), mask=~HOLE)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(folder / "plain.tif") as plain:
        rasterio.shutil.copy(
            plain, path, driver="GTiff", compress="jpeg", photometric="ycbcr", tiled=True,
            blockxsize=16, blockysize=16,
        )  # fmt: skip
    return Odd(str(path), HOLE)


@odd("overviews")
def _(folder: Path) -> Odd:
    path = make_raster(folder / "a.tif", holding(ground("int16"), -9999), nodata=-9999)
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([2, 4], Resampling.average)
    return Odd(str(path), HOLE)


# Many files as one raster.


@odd("tile set, nodata by band")
def _(folder: Path) -> Odd:
    """Two virtual rasters side by side; the right half of the hole is a gap between them."""
    for part, cols in (("left", slice(0, 12)), ("right", slice(20, 36))):
        (folder / part).mkdir()
        bands = [(holding(ground("uint16", 1, i)[..., 0], n), n) for i, n in enumerate((0, 65535))]
        text = Path(vrt(folder / part, bands)).read_text()
        width = cols.stop - cols.start
        moved = (NORTH_UP @ Affine.translation(cols.start, 0)).to_gdal()
        old = ",".join(map(repr, NORTH_UP.to_gdal()))
        text = text.replace(old, ",".join(map(repr, moved)))
        text = text.replace(f'rasterXSize="{SHAPE[1]}"', f'rasterXSize="{width}"')
        rects = (
            f'<SrcRect xOff="{cols.start}" yOff="0" xSize="{width}" ySize="{SHAPE[0]}"/>'
            f'<DstRect xOff="0" yOff="0" xSize="{width}" ySize="{SHAPE[0]}"/></SimpleSource>'
        )
        text = text.replace("</SimpleSource>", rects)
        (folder / f"{part}.vrt").write_text(
            text.replace('relativeToVRT="1">', f'relativeToVRT="1">{part}/')
        )
        Path(folder / part / "a.vrt").unlink()
    missing = HOLE.copy()
    missing[:, 12:20] = True
    return Odd(str(folder / "*.vrt"), missing)


def _tiles(folder: Path, pixels: NDArray[Any], masks: Any, **profile: Any) -> str:
    """Two tiles side by side, each with its own mask, or none."""
    for name, cols, mask in (("a", slice(0, 16), masks[0]), ("b", slice(16, None), masks[1])):
        make_raster(
            folder / f"{name}.tif",
            pixels[:, cols],
            transform=NORTH_UP @ Affine.translation(cols.start, 0),
            mask=None if mask is None else mask[:, cols],
            **profile,
        )
    return str(folder / "*.tif")


@odd("tile set, a mask in one tile, nodata in all")
def _(folder: Path) -> Odd:
    pixels = holding(ground(), 0)
    pixels[SPOT, 0] = 0  # data
    path = _tiles(folder, pixels, (~HOLE, None), nodata=0)
    return Odd(path, HOLE)


@odd("tile set, a mask in one tile, floats")
def _(folder: Path) -> Odd:
    pixels = ground("float32")
    pixels[SPOT, 1] = np.nan
    left = HOLE.copy()
    left[:, 16:] = False
    return Odd(_tiles(folder, pixels, (~HOLE, None)), left | SPOT)


@odd("tile set, alpha")
def _(folder: Path) -> Odd:
    pixels = np.dstack([ground(), np.where(HOLE, 0, 255)]).astype(np.uint8)
    return Odd(_tiles(folder, pixels, (None, None), alpha=True), HOLE)


@odd("tile set, a .msk by band")
def _(folder: Path) -> Odd:
    """A raster with masks by band is one tile, and a strip to its right is the other."""
    _msk_by_band(folder, 0, HOLE)
    strip = NORTH_UP @ Affine.translation(SHAPE[1], 0)
    make_raster(folder / "b.tif", ground()[:, :4], transform=strip)
    return Odd(str(folder / "*.tif"), np.hstack([HOLE, np.zeros((SHAPE[0], 4), np.bool_)]))


@odd("stack, types and nodata by file")
def _(folder: Path) -> Odd:
    files = [
        make_raster(folder / f"{dtype}.tif", holding(ground(dtype, 1), mark), nodata=mark)
        for dtype, mark in (("uint16", 65535), ("uint8", 0), ("int16", -9999))
    ]
    return Odd(" + ".join(map(str, files)), HOLE)


@odd("stack, a mask in the second file")
def _(folder: Path) -> Odd:
    first = make_raster(folder / "a.tif", ground("uint8", 1))
    second = make_raster(folder / "b.tif", ground("uint16", 2), mask=~HOLE)
    return Odd(f"{first} + {second}", HOLE)


@odd("stack, alpha first in one file and a mask too")
def _(folder: Path) -> Odd:
    pixels = np.dstack([np.where(HOLE, 0, 255), ground(bands=2)]).astype(np.uint8)
    first = make_raster(folder / "a.tif", pixels, mask=~SPOT)
    with rasterio.open(first, "r+") as raster:
        raster.colorinterp = [ColorInterp.alpha, ColorInterp.undefined, ColorInterp.undefined]
    second = make_raster(folder / "b.tif", ground("float32", 1))
    return Odd(f"{first} + {second}", HOLE | SPOT)


# Refused rasters.


@refused("control points only", "has ground control points only; warp it to a map first")
def _(folder: Path) -> str:
    path = make_raster(folder / "a.tif", ground(), crs=None)
    points = [
        rasterio.control.GroundControlPoint(row, col, 500_000 + col, 5_000_000 - row)
        for row, col in ((0, 0), (0, 30), (30, 0), (30, 30))
    ]
    with rasterio.open(path, "r+") as raster:
        raster.gcps = (points, rasterio.crs.CRS.from_epsg(32632))
    return str(path)


@refused("palette", "holds numbers of a palette, not colours; expand it first")
def _(folder: Path) -> str:
    path = make_raster(folder / "a.tif", ground(bands=1))
    with rasterio.open(path, "r+") as raster:
        raster.write_colormap(1, {i: (i, 255 - i, 0, 255) for i in range(256)})
    return str(path)


@refused("palette in the band that is compared", "band 3 holds numbers of a palette")
def _(folder: Path) -> str:
    bands = [(ground("uint8", 1, i)[..., 0], None) for i in range(3)]
    return vrt(folder, bands, band3_says="<ColorInterp>Palette</ColorInterp>")


@refused("palette in a tile set", "holds numbers of a palette, not colours; expand it first")
def _(folder: Path) -> str:
    path = Path(REFUSED["palette"][1](folder))
    return str(path.parent / "?.tif")


@refused("complex", "holds complex numbers; export its amplitude first")
def _(folder: Path) -> str:
    return str(make_raster(folder / "a.tif", ground().astype(np.complex64)))


@refused("complex in the second band", "band 2 holds complex numbers; export its amplitude first")
def _(folder: Path) -> str:
    first = make_raster(folder / "a.tif", ground("float32", 1))
    second = make_raster(folder / "b.tif", ground("float32", 1).astype(np.complex64))
    text = vrt(folder, [(ground("float32", 1)[..., 0], None)] * 2)
    path = Path(text)
    told = path.read_text().replace("band1.tif", first.name).replace("band2.tif", second.name)
    head, _, tail = told.rpartition('dataType="Float32"')
    path.write_text(f'{head}dataType="CFloat32"{tail}')
    return str(path)


@refused("nothing but alpha", "holds only alpha; export its colours")
def _(folder: Path) -> str:
    return str(make_raster(folder / "a.tif", ground(bands=1), alpha=True))


@refused("no CRS", "has no georeference; give it a CRS and a transform first")
def _(folder: Path) -> str:
    return str(make_raster(folder / "a.tif", ground(), crs=None, transform=NORTH_UP))
