"""Two rasters on one grid: exact if pixels coincide, else warped; equal for every window."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from makers import LONLAT, NORTH_UP, UTM, make_raster, noise, ramp
from pyproj import CRS, Transformer

from geochange.errors import InputError, OptionError, RunError
from geochange.grid.tiling import Window
from geochange.raster import warped_raster as date_module
from geochange.raster.access import retry
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import inspect_raster

SHAPE = (24, 30)
ONE = Bands((1,), (1,))
NEIGHBOUR = CRS.from_epsg(32633)


def pair_of(before: Path, after: Path, grid: str = "before", bands: Bands = ONE) -> RasterPair:
    return align_pair(inspect_raster(before), inspect_raster(after), grid, bands)


def read(pair: RasterPair, window: Window | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and validity of the after date, for the whole grid by default."""
    with pair.after.reader() as reader:
        return reader(window or pair.grid.full_window)


@dataclass(frozen=True)
class Layout:
    """A position of an after raster that covers the before raster and must be warped."""

    crs: CRS
    transform: Affine
    shape: tuple[int, int]


LAYOUTS = {
    "half a pixel": Layout(UTM, NORTH_UP @ Affine.translation(-4.5, -4.5), (34, 40)),
    "finer": Layout(UTM, NORTH_UP @ Affine.translation(-2, -2) @ Affine.scale(0.7), (46, 52)),
    "coarser": Layout(UTM, NORTH_UP @ Affine.translation(-9, -9) @ Affine.scale(3), (16, 18)),
    "turned": Layout(UTM, NORTH_UP @ Affine.translation(14, -19) @ Affine.rotation(40), (48, 48)),
    "south up": Layout(UTM, Affine(10, 0, 499_955, 0, 10, 4_999_705), (36, 40)),
    "another crs": Layout(NEIGHBOUR, Affine(10, 0, 29_300, 0, -10, 5_014_250), (70, 80)),
}
warped = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


def in_neighbour(layout: Layout) -> Layout:
    """Move a layout in another CRS to the true position of the before raster."""
    if layout.crs == UTM:
        return layout
    middle = NORTH_UP @ (SHAPE[1] / 2, SHAPE[0] / 2)
    x, y = Transformer.from_crs(UTM, layout.crs, always_xy=True).transform(*middle)
    height, width = layout.shape
    origin = Affine(10, 0, round(x) - 5 * width + 0.5, 0, -10, round(y) + 5 * height + 0.5)
    return replace(layout, transform=origin)


def ground_ramp(layout: Layout) -> np.ndarray:
    """The ramp of makers.ramp in UTM, on the pixels of a layout."""
    if layout.crs == UTM:
        return ramp(layout.shape, layout.transform)
    rows, cols = np.indices(layout.shape)
    x, y = layout.transform @ (cols + 0.5, rows + 0.5)
    x, y = Transformer.from_crs(layout.crs, UTM, always_xy=True).transform(x, y)
    return np.asarray((x - 500_000) * 0.1 + (y - 5_000_000) * 0.05 + 200, np.float32)


def warped_pair(tmp_path: Path, layout: Layout, pixels: np.ndarray, **profile: Any) -> RasterPair:
    before = make_raster(tmp_path / "before.tif", noise(SHAPE))
    after = make_raster(tmp_path / "after.tif", pixels, layout.crs, layout.transform, **profile)
    pair = pair_of(before, after)
    assert pair.after.offset_px is None
    assert pair.grid.shape == SHAPE
    return pair


@warped
def test_a_warp_puts_the_ground_where_it_belongs(tmp_path: Path, layout: Layout) -> None:
    layout = in_neighbour(layout)
    pixels, valid = read(warped_pair(tmp_path, layout, ground_ramp(layout)))
    expected = ramp(SHAPE, NORTH_UP)
    assert pixels.dtype == np.float32
    assert valid.all()
    # GDAL's approximation error of 0.13 pixels, on a slope of 1.1 per pixel.
    np.testing.assert_allclose(pixels[..., 0], expected, atol=0.15)


@warped
@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_whole_numbers_stay_whole_numbers(tmp_path: Path, layout: Layout, dtype: str) -> None:
    layout = in_neighbour(layout)
    flat = np.full((*layout.shape, 3), (60, 0, 250), dtype)
    before = make_raster(tmp_path / "before.tif", np.zeros((*SHAPE, 3), dtype))
    after = make_raster(tmp_path / "after.tif", flat, layout.crs, layout.transform)
    pixels, valid = read(pair_of(before, after, bands=Bands((1, 2, 3), (3, 1, 2))))
    assert pixels.dtype == np.dtype(dtype)
    assert valid.all()
    assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [[250, 60, 0]]


@dataclass(frozen=True)
class Gap:
    """A way to mark missing pixels in a raster."""

    dtype: str
    nodata: float | None = None
    bands: tuple[int, ...] = (0, 1)
    mask: str | None = None

    def write(self, path: Path, hole: np.ndarray, layout: Layout) -> Path:
        """A picture of 100s in two bands that is missing where `hole` is."""
        pixels = np.full((*hole.shape, 2), 100, self.dtype)
        if self.mask is None:
            missing = np.nan if self.nodata is None else self.nodata
            for band in self.bands:
                pixels[hole, band] = missing
        if self.mask == "alpha":
            alpha = np.where(hole, 0, 255).astype(self.dtype)
            pixels = np.concatenate([pixels, alpha[..., None]], axis=-1)
        profile: dict[str, Any] = {"nodata": self.nodata, "alpha": self.mask == "alpha"}
        if self.mask in ("inside", ".msk"):
            profile |= {"mask": ~hole, "internal_mask": self.mask == "inside"}
        return make_raster(path, pixels, layout.crs, layout.transform, **profile)


ALL, FIRST = (0, 1), (0,)
GAPS = {
    "uint8 0 in all bands": Gap("uint8", 0, ALL),
    "uint8 255 in all bands": Gap("uint8", 255, ALL),
    "uint16 0 in all bands": Gap("uint16", 0, ALL),
    "int16 -9999 in one band": Gap("int16", -9999, FIRST),
    "int16 -9999 in all bands": Gap("int16", -9999, ALL),
    "float -9999 in one band": Gap("float32", -9999, FIRST),
    "NaN in one band": Gap("float32", None, FIRST),
    "NaN beside nodata": Gap("float32", float("nan"), FIRST),
    "uint8 alpha": Gap("uint8", mask="alpha"),
    "uint16 alpha": Gap("uint16", mask="alpha"),
    "uint8 mask inside": Gap("uint8", mask="inside"),
    "uint8 .msk": Gap("uint8", mask=".msk"),
    "int16 mask inside": Gap("int16", mask="inside"),
    "float mask inside": Gap("float32", mask="inside"),
    "float .msk": Gap("float32", mask=".msk"),
}
every_gap = pytest.mark.parametrize("gap", GAPS.values(), ids=GAPS.keys())
SAME = Layout(UTM, NORTH_UP, SHAPE)


@every_gap
def test_what_is_missing_stays_missing_where_pixels_coincide(tmp_path: Path, gap: Gap) -> None:
    hole = np.zeros(SHAPE, bool)
    hole[8:14, 10:20] = True
    after = gap.write(tmp_path / "after.tif", hole, SAME)
    before = make_raster(tmp_path / "before.tif", noise((*SHAPE, 2)))
    pixels, valid = read(pair_of(before, after, bands=Bands((1, 2), (1, 2))))
    np.testing.assert_array_equal(valid, ~hole)
    assert (pixels[valid] == 100).all()


@pytest.mark.slow
@every_gap
@pytest.mark.parametrize("name", ["half a pixel", "another crs"])
def test_what_is_missing_stays_missing_in_a_warp(tmp_path: Path, gap: Gap, name: str) -> None:
    layout = in_neighbour(LAYOUTS[name])
    place = ground_ramp(layout)
    hole = (place > 213) & (place < 226)
    after = gap.write(tmp_path / "after.tif", hole, layout)
    before = make_raster(tmp_path / "before.tif", noise((*SHAPE, 2)))
    pixels, valid = read(pair_of(before, after, bands=Bands((1, 2), (1, 2))))
    # A pixel is 1.1 on the ramp. Pixels farther inside or outside than that are certain.
    ground = ramp(SHAPE, NORTH_UP)
    assert not valid[(ground > 215) & (ground < 224)].any()
    assert valid[(ground < 211) | (ground > 228)].all()
    # Missing pixels must not affect their neighbours.
    np.testing.assert_allclose(pixels[valid], 100, atol=1e-3)


@pytest.mark.parametrize("name", ["half a pixel", "turned"])
def test_dark_in_one_band_of_8_bits_is_no_hole_in_a_warp(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    after = make_raster(
        tmp_path / "after.tif",
        np.full((*layout.shape, 2), (0, 100), np.uint8),
        layout.crs,
        layout.transform,
        nodata=0,
    )
    before = make_raster(tmp_path / "before.tif", noise((*SHAPE, 2)))
    pixels, valid = read(pair_of(before, after, bands=Bands((1, 2), (1, 2))))
    assert valid.all()
    np.testing.assert_allclose(pixels.astype(int), np.broadcast_to((0, 100), pixels.shape), atol=1)


def test_dark_in_one_band_of_8_bits_weighs_in_a_warp(tmp_path: Path) -> None:
    """The mean of 0 and 100 is 50: the 0 is dark, not missing, while the other band has a value."""
    layout = LAYOUTS["half a pixel"]
    stripes = np.full((*layout.shape, 2), 100, np.uint8)
    stripes[:, ::2, 0] = 0
    after = make_raster(tmp_path / "after.tif", stripes, UTM, layout.transform, nodata=0)
    before = make_raster(tmp_path / "before.tif", noise((*SHAPE, 2)))
    pixels, valid = read(pair_of(before, after, bands=Bands((1, 2), (1, 2))))
    assert valid.all()
    assert np.unique(pixels[..., 0]).tolist() == [50]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_ground_beyond_the_raster_is_missing(tmp_path: Path, dtype: str) -> None:
    turned = Layout(UTM, NORTH_UP @ Affine.translation(14, 0) @ Affine.rotation(45), (15, 15))
    after = make_raster(
        tmp_path / "after.tif", np.full(turned.shape, 100, dtype), UTM, turned.transform
    )
    pair = pair_of(make_raster(tmp_path / "before.tif", noise(SHAPE)), after)
    pixels, valid = read(pair)
    assert 0.45 < valid.mean() < 0.55  # a square on its corner covers half of its bounding box
    assert (pixels[valid] == 100).all()


WINDOWS = [
    Window(0, 0, 5, 7),
    Window(3, 11, 14, 9),
    Window(14, 14, 4, 4),
    Window(23, 29, 1, 1),
    Window(-3, -5, 12, 12),
    Window(20, 25, 16, 16),
]


def assert_parts_of_the_whole(pair: RasterPair, windows: list[Window]) -> None:
    whole, whole_valid = read(pair)
    assert whole_valid.any()
    for window in windows:
        part, part_valid = read(pair, window)
        assert part.shape == (window.height, window.width, 1)
        inside = window.intersection(pair.grid.full_window)
        assert inside is not None
        place, source = inside.within(window), inside.within(pair.grid.full_window)
        np.testing.assert_array_equal(part[place], whole[source])
        np.testing.assert_array_equal(part_valid[place], whole_valid[source])
        outside = np.ones((window.height, window.width), bool)
        outside[place] = False
        assert not part_valid[outside].any()
        assert not part[outside].any()


@pytest.mark.parametrize("name", ["same", *LAYOUTS])
def test_a_window_is_the_same_part_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(date_module, "WARP_CELL_PX", 8)
    layout = SAME if name == "same" else in_neighbour(LAYOUTS[name])
    pixels = noise(layout.shape, seed=4, dtype=np.float32)
    pixels[::7, ::5] = np.nan
    after = make_raster(tmp_path / "after.tif", pixels, layout.crs, layout.transform)
    before = make_raster(tmp_path / "before.tif", noise(SHAPE))
    assert_parts_of_the_whole(pair_of(before, after), WINDOWS)


@pytest.mark.slow
def test_a_window_is_the_same_part_where_the_map_bends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over 700 pixels GDAL's linear approximation deviates, and would depend on the window."""
    monkeypatch.setattr(date_module, "WARP_CELL_PX", 256)
    coarse = Affine(100, 0, 500_000, 0, -100, 5_000_000)
    before = make_raster(tmp_path / "before.tif", np.zeros((150, 700), np.uint8), UTM, coarse)
    around = Affine(0.001, 0, 8.95, 0, -0.001, 45.18)
    pixels = noise((250, 1100), seed=4, dtype=np.float32)
    pair = pair_of(before, make_raster(tmp_path / "after.tif", pixels, LONLAT, around))
    assert pair.grid.shape == (150, 700)
    windows = [Window(5, 7, 50, 50), Window(100, 480, 40, 60), Window(120, 3, 60, 600)]
    assert_parts_of_the_whole(pair, windows)


@pytest.mark.parametrize("name", ["same", "half a pixel"])
def test_a_window_beside_the_grid_is_blank(tmp_path: Path, name: str) -> None:
    layout = SAME if name == "same" else LAYOUTS[name]
    after = make_raster(tmp_path / "after.tif", noise(layout.shape), UTM, layout.transform)
    pair = pair_of(make_raster(tmp_path / "before.tif", noise(SHAPE)), after)
    pixels, valid = read(pair, Window(100, 100, 3, 4))
    assert pixels.shape == (3, 4, 1)
    assert not valid.any()
    assert not pixels.any()


@pytest.mark.parametrize(("rows", "cols"), [(0, 0), (5, 7), (-3, 4), (-6, -6)])
def test_whole_pixels_apart_is_read_without_resampling(
    tmp_path: Path, rows: int, cols: int
) -> None:
    before_pixels, after_pixels = noise(SHAPE, seed=1), noise(SHAPE, seed=2)
    before = make_raster(tmp_path / "before.tif", before_pixels)
    after = make_raster(
        tmp_path / "after.tif", after_pixels, UTM, NORTH_UP @ Affine.translation(cols, rows)
    )
    pair = pair_of(before, after)
    height, width = SHAPE[0] - abs(rows), SHAPE[1] - abs(cols)
    assert pair.grid.shape == (height, width)
    top, left = max(rows, 0), max(cols, 0)
    assert pair.grid.transform == NORTH_UP @ Affine.translation(left, top)
    with pair.before.reader() as reader:
        pixels, valid = reader(pair.grid.full_window)
    assert valid.all()
    np.testing.assert_array_equal(
        pixels[..., 0], before_pixels[top : top + height, left : left + width]
    )
    pixels, valid = read(pair)
    assert valid.all()
    assert pixels.dtype == np.uint8
    top, left = max(-rows, 0), max(-cols, 0)
    np.testing.assert_array_equal(
        pixels[..., 0], after_pixels[top : top + height, left : left + width]
    )


def test_the_grid_of_after_may_be_taken(tmp_path: Path) -> None:
    layout = LAYOUTS["coarser"]
    before = make_raster(tmp_path / "before.tif", ramp(SHAPE, NORTH_UP))
    after = make_raster(tmp_path / "after.tif", ground_ramp(layout), UTM, layout.transform)
    pair = pair_of(before, after, grid="after")
    assert pair.after.offset_px == (-3, -3)
    assert pair.before.offset_px is None
    assert pair.grid.shape == (8, 10)
    with pair.before.reader() as reader:
        pixels, valid = reader(pair.grid.full_window)
    assert valid.all()
    inner = np.s_[1:-1, 1:-1]  # at the edge the filter has pixels on one side only
    np.testing.assert_allclose(pixels[inner], read(pair)[0][inner], atol=1e-3)


def test_the_grid_of_a_third_raster_may_be_taken(tmp_path: Path) -> None:
    before = make_raster(tmp_path / "before.tif", ramp(SHAPE, NORTH_UP))
    after = make_raster(tmp_path / "after.tif", ramp(SHAPE, NORTH_UP))
    third = NORTH_UP @ Affine.translation(-10, -10) @ Affine.scale(2)
    grid = make_raster(tmp_path / "grid.tif", noise((60, 60)), UTM, third)
    pair = pair_of(before, after, grid=str(grid))
    assert pair.grid.shape == (12, 15)
    assert pair.grid.transform == third @ Affine.translation(5, 5)
    pixels, valid = read(pair)
    assert valid.all()
    expected = ramp((12, 15), pair.grid.transform)
    inner = np.s_[1:-1, 1:-1]  # at the edge the filter has pixels on one side only
    np.testing.assert_allclose(pixels[..., 0][inner], expected[inner], atol=0.15)


def test_a_grid_that_is_no_raster_is_refused(tmp_path: Path, pair_paths: Any) -> None:
    with pytest.raises(InputError, match=r"grid\.tif: no such file"):
        pair_of(*pair_paths, grid=str(tmp_path / "grid.tif"))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (UTM, NORTH_UP @ Affine.translation(0, 24)),
        (NEIGHBOUR, NORTH_UP),
        (LONLAT, Affine(0.001, 0, -171, 0, -0.001, -45)),
    ],
    ids=["beside", "same numbers, other zone", "antipodes"],
)
def test_a_disjoint_pair_is_refused_with_both_places(
    tmp_path: Path, crs: CRS, transform: Affine
) -> None:
    before = make_raster(tmp_path / "before.tif", noise(SHAPE))
    after = make_raster(tmp_path / "after.tif", noise(SHAPE), crs, transform)
    line = r"no common ground: .*before\.tif covers WGS 84 / UTM zone 32N .*after\.tif covers "
    with pytest.raises(InputError, match=line + re.escape(crs.name)):
        pair_of(before, after)


def test_a_fault_while_reading_names_file_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "sleep", lambda pause_s: None)
    path = make_raster(tmp_path / "a.tif", noise((64, 64), seed=1), blockysize=8)
    info = inspect_raster(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3000)
    date = align_pair(info, info, "before", ONE).before
    line = r"a\.tif: pixels of rows 40-63, columns 0-63 cannot be read"
    with date.reader() as reader, pytest.raises(RunError, match=line):
        reader(Window(40, 0, 30, 64))


@pytest.mark.parametrize(
    ("text", "bands"),
    [
        ("4,3,2", Bands((4, 3, 2), (4, 3, 2))),
        ("4,3,2:3,2,1", Bands((4, 3, 2), (3, 2, 1))),
        ("1", Bands((1,), (1,))),
        (" 1, 2", Bands((1, 2), (1, 2))),
    ],
)
def test_bands_are_parsed(text: str, bands: Bands) -> None:
    assert Bands.parse(text) == bands


@pytest.mark.parametrize("text", ["", "red", "1,,2", "1;2", "1:2:3", ":1", "1,2:", "1,2:3"])
def test_bands_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match=f"--bands {re.escape(text)}: "):
        Bands.parse(text)


@pytest.mark.parametrize("bands", [Bands((4,), (1,)), Bands((1,), (0,)), Bands((1,), (-1,))])
def test_bands_that_are_not_there_are_refused(pair_paths: Any, bands: Bands) -> None:
    with pytest.raises(OptionError, match=r"\.tif has no band -?\d; it has 3, counted from 1"):
        pair_of(*pair_paths, bands=bands)


def test_default_bands_leave_alpha_out(tmp_path: Path) -> None:
    rgba = make_raster(tmp_path / "rgba.tif", noise((*SHAPE, 4)), alpha=True)
    first = make_raster(tmp_path / "argb.tif", noise((*SHAPE, 5)))
    with rasterio.open(first, "r+") as raster:
        raster.colorinterp = [rasterio.enums.ColorInterp.alpha, *raster.colorinterp[1:]]
    bands = Bands.default(inspect_raster(rgba), inspect_raster(first), wanted=None)
    assert bands == Bands((1, 2, 3), (2, 3, 4))


@pytest.mark.parametrize(
    ("counts", "wanted", "taken"), [((5, 4), None, 3), ((2, 4), None, 2), ((5, 4), 4, 4)]
)
def test_default_bands_are_those_both_have(
    tmp_path: Path, counts: tuple[int, int], wanted: int | None, taken: int
) -> None:
    infos = [
        inspect_raster(make_raster(tmp_path / f"{count}.tif", noise((*SHAPE, count))))
        for count in counts
    ]
    expected = tuple(range(1, taken + 1))
    assert Bands.default(infos[0], infos[1], wanted) == Bands(expected, expected)


def test_too_few_bands_for_a_model_is_refused(tmp_path: Path) -> None:
    grey = inspect_raster(make_raster(tmp_path / "grey.tif", noise(SHAPE)))
    colour = inspect_raster(make_raster(tmp_path / "colour.tif", noise((*SHAPE, 3))))
    with pytest.raises(
        InputError, match=r"grey\.tif: too few bands, the model needs 3 and it has 1"
    ):
        Bands.default(colour, grey, wanted=3)


def test_a_warp_heeds_the_nodata_of_the_bands_that_are_compared(tmp_path: Path) -> None:
    pixels = noise((40, 50, 4), dtype=np.uint16)
    pixels[10:20, 10:30, :3] = 0
    shifted = NORTH_UP @ Affine.translation(0.4, 0.4)
    before = inspect_raster(
        make_raster(tmp_path / "before.tif", noise((40, 50, 4), dtype=np.uint16))
    )
    after = inspect_raster(make_raster(tmp_path / "after.tif", pixels, transform=shifted, nodata=0))
    pair = align_pair(before, after, "before", Bands((3, 1, 2), (3, 1, 2)))
    assert pair.after.offset_px is None
    with pair.after.reader() as read:
        warped, valid = read(pair.grid.full_window)
    assert not valid[12:18, 13:27].any()
    assert valid[25:38, 5:45].all()
    assert warped.shape == (*pair.grid.shape, 3)


def test_a_mosaic_of_the_world_shares_ground_with_a_place(tmp_path: Path) -> None:
    place = inspect_raster(make_raster(tmp_path / "place.tif", noise((40, 50, 3))))
    world = Affine(1, 0, -180, 0, -1, 90)
    globe = inspect_raster(make_raster(tmp_path / "world.tif", noise((180, 360, 3)), LONLAT, world))
    assert align_pair(place, globe, "before", Bands((1, 2, 3), (1, 2, 3))).grid.shape == (40, 50)
