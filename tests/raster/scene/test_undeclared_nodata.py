"""Fills that no file declares: found once per scene, reported with a cure, and never change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from makers import NORTH_UP, make_raster, noise
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geochange.grid.tiling import Window
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.sampling import RawWindow, SceneSample
from geochange.raster.scene.undeclared_nodata import Fill

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SIZE = 96
HOLE = np.zeros((SIZE, SIZE), np.bool_)
HOLE[50:80, 10:40] = True
ALL, ONE = (1, 2, 3), (2,)


def ground(dtype: str, seed: int = 0) -> NDArray[Any]:
    """(height, width, 3) of numbers between 60 and 200, or their multiples."""
    pixels = np.maximum(noise((SIZE, SIZE, 3), seed), 60).astype(np.float64)
    return np.asarray(pixels * {"uint16": 40, "int16": 40, "int32": 1000}.get(dtype, 1), dtype)


def holding(dtype: str, value: float, bands: tuple[int, ...] = ALL, seed: int = 0) -> Any:
    pixels = ground(dtype, seed)
    for band in bands:
        pixels[HOLE, band - 1] = value
    return pixels


def pair_of(folder: Path, before: NDArray[Any], after: NDArray[Any], **profile: Any) -> RasterPair:
    bands = Bands(tuple(range(1, before.shape[2] + 1)), tuple(range(1, after.shape[2] + 1)))
    paths = (
        make_raster(folder / "before.tif", before),
        make_raster(folder / "after.tif", after, **profile),
    )
    return align_pair(inspect_raster(paths[0]), inspect_raster(paths[1]), "before", bands)


def heeded(pair: RasterPair) -> SceneSample:
    return SceneSample(pair).with_fills_masked()


def valid(sample: SceneSample) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where each date holds data, read as in a run."""
    answers = []
    for date in (sample.pair.before, sample.pair.after):
        with date.reader() as read:
            answers.append(read(sample.pair.grid.full_window)[1])
    return answers[0], answers[1]


TAKEN = [
    ("float32", -3.4028234663852886e38, "-3.4028235e+38"),
    ("float32", 9.969209968386869e36, "9.96921e+36"),
    ("float32", 1e20, "1e+20"),
    ("float32", np.inf, "inf"),
    ("float64", -np.inf, "-inf"),
    ("float64", 1e300, "1e+300"),
    ("float64", -1.7976931348623157e308, "-1.7976931348623157e+308"),
    ("float32", -9999, "-9999"),
    ("float32", -999, "-999"),
    ("float64", 1e10, "10000000000"),
    ("float32", -1234567, "-1.234567e+06"),
    ("int16", -9999, "-9999"),
    ("int16", -32768, "-32768"),
    ("int32", -2147483648, "-2147483648"),
]


@pytest.mark.slow
@pytest.mark.parametrize("bands", [ALL, ONE], ids=["all bands", "one band"])
@pytest.mark.parametrize(("dtype", "value", "text"), TAKEN)
def test_a_fill_is_nodata_and_named_with_its_cure(
    tmp_path: Path, dtype: str, value: float, text: str, bands: tuple[int, ...]
) -> None:
    sample = heeded(pair_of(tmp_path, ground(dtype), holding(dtype, value, bands)))
    (fill,) = sample.fills
    assert fill == Fill(
        path=str(tmp_path / "after.tif"),
        value=text,
        bands=bands,
        share=pytest.approx(HOLE.mean()),
        taken=True,
        cure=f"gdal_edit.py -a_nodata {text}",
    )
    said = "band 2 holds" if bands == ONE else "bands 1, 2, 3 hold"
    assert str(fill) == (
        f"{tmp_path / 'after.tif'}: {said} {text} on 9.77 % of the sample, which the file does not "
        f"declare as nodata: treated as nodata; declare it (gdal_edit.py -a_nodata {text})"
    )
    before, after = valid(sample)
    assert before.all()
    np.testing.assert_array_equal(after, ~HOLE)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "value", "text"), TAKEN)
def test_the_cure_followed_gives_the_same_and_silence(
    tmp_path: Path, dtype: str, value: float, text: str
) -> None:
    as_it_was = heeded(pair_of(tmp_path, ground(dtype), holding(dtype, value)))
    cured = pair_of(tmp_path, ground(dtype), holding(dtype, value), nodata=float(text))
    sample = heeded(cured)
    assert sample.fills == ()
    np.testing.assert_array_equal(valid(sample), valid(as_it_was))
    for one, other in zip(sample.pixels(), as_it_was.pixels(), strict=True):
        np.testing.assert_array_equal(one.values, other.values)


NAMED = [
    ("uint8", 0, ALL, "gdal_edit.py -a_nodata 0"),
    ("uint16", 0, ALL, "gdal_edit.py -a_nodata 0"),
    ("uint16", 65535, ALL, "gdal_edit.py -a_nodata 65535"),
    ("uint16", 65535, ONE, "a VRT with <NoDataValue>65535</NoDataValue> in those bands alone"),
    ("int16", 32767, ALL, "gdal_edit.py -a_nodata 32767"),
    ("float32", 0, ALL, "gdal_edit.py -a_nodata 0"),
]


@pytest.mark.parametrize(("dtype", "value", "bands", "cure"), NAMED)
def test_what_may_be_honest_is_named_and_compared(
    tmp_path: Path, dtype: str, value: float, bands: tuple[int, ...], cure: str
) -> None:
    sample = heeded(pair_of(tmp_path, ground(dtype), holding(dtype, value, bands)))
    (fill,) = sample.fills
    assert (fill.value, fill.bands, fill.taken, fill.cure) == (str(value), bands, False, cure)
    assert (
        f"compared as data, so it may show as change; if it marks missing pixels, declare it ({cure})"
        in str(fill)
    )
    assert all(each.all() for each in valid(sample))


def test_few_pixels_beside_a_fill_do_not_hide_it(tmp_path: Path) -> None:
    """A tile at the edge of a swath: the darkest water lies near 0, nearly all ground does not."""
    before, after = holding("uint16", 0)[..., :1], holding("uint16", 0, seed=1)[..., :1]
    before[2, 3] = before[70, 80] = 5
    sample = heeded(pair_of(tmp_path, before, after))
    assert [(Path(fill.path).name, fill.value, fill.taken) for fill in sample.fills] == [
        ("before.tif", "0", False),
        ("after.tif", "0", False),
    ]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_dark_ground_with_dark_neighbours_is_no_fill(tmp_path: Path, dtype: str) -> None:
    """A black roof, and shadows from black to grey as large as it."""
    after = ground(dtype)
    after[HOLE] = 0
    after[5:35, 60:90] = np.arange(900).reshape(30, 30, 1) % 60
    assert heeded(pair_of(tmp_path, ground(dtype), after)).fills == ()


def plateau(pixels: NDArray[Any]) -> None:
    """New, flat and bright: change, at four times the range of the other values."""
    pixels[HOLE] = pixels.max() * 4


def roof_on_even_ground(pixels: NDArray[Any]) -> None:
    pixels[:] = 100 + pixels / 100
    pixels[HOLE] = 200


def classes(pixels: NDArray[Any]) -> None:
    pixels[:] = np.rint(pixels / 60)
    pixels[HOLE] = -9999


def zero_or_one(pixels: NDArray[Any]) -> None:
    pixels[:] = 1
    pixels[HOLE] = 0


def sea(pixels: NDArray[Any]) -> None:
    """Flat at 0, with a rising shore."""
    pixels[:] = np.linspace(0.01, 400, SIZE)[:, None, None] + pixels / 1000
    pixels[HOLE] = 0


def specks(pixels: NDArray[Any]) -> None:
    pixels[HOLE & (np.indices(HOLE.shape).sum(0) % 4 == 0)] = 5000


def near(pixels: NDArray[Any]) -> None:
    """A usual fill value among the other values."""
    pixels[:] = (pixels - 130) * 200
    pixels[HOLE] = -9999


def constant(pixels: NDArray[Any]) -> None:
    pixels[:] = -9999


HONEST = [plateau, roof_on_even_ground, classes, zero_or_one, sea, specks, near, constant]


@pytest.mark.slow
@pytest.mark.parametrize("change", HONEST)
@pytest.mark.parametrize("dtype", ["float32", "int16", "float64"])
def test_what_only_looks_like_a_fill_is_data(
    tmp_path: Path, dtype: str, change: Callable[[NDArray[Any]], None]
) -> None:
    after = ground(dtype).astype(np.float64)
    if dtype == "int16":
        after /= 40
    change(after)
    sample = heeded(pair_of(tmp_path, ground(dtype), after.astype(dtype)))
    assert not any(fill.taken for fill in sample.fills)
    assert all(each.all() for each in valid(sample))


@pytest.mark.slow
def test_a_fill_of_one_date_is_one_of_the_other_however_few_pixels_hold_it(tmp_path: Path) -> None:
    before = ground("float32", seed=1)
    before[3, 4, 0] = before[90, 2, 2] = -1e7
    sample = heeded(pair_of(tmp_path, before, holding("float32", -1e7)))
    assert np.argwhere(~valid(sample)[0]).tolist() == [[3, 4], [90, 2]]
    alone = heeded(pair_of(tmp_path, before, ground("float32")))
    assert valid(alone)[0].all()


def test_a_fill_within_the_numbers_of_another_band_is_data_there(tmp_path: Path) -> None:
    after = holding("float32", -9999, ONE)
    after[..., 2] = np.linspace(-20_000, 20_000, SIZE * SIZE).reshape(SIZE, SIZE)
    after[5, 5, 2] = -9999
    sample = heeded(pair_of(tmp_path, ground("float32"), after))
    np.testing.assert_array_equal(valid(sample)[1], ~HOLE)


def test_a_usual_fill_need_not_cover_a_place(tmp_path: Path) -> None:
    after = ground("int16")
    after[:2] = after[40, 40] = -9999
    sample = heeded(pair_of(tmp_path, ground("int16"), after))
    np.testing.assert_array_equal(valid(sample)[1], (after != -9999).all(-1))


def test_two_fills_of_a_band_are_both_found(tmp_path: Path) -> None:
    after = holding("float32", -9999)
    after[5:20, 60:80] = -32768
    after[25:40, 60:80] = 1e30
    sample = heeded(pair_of(tmp_path, ground("float32"), after))
    assert {fill.value for fill in sample.fills} == {"-9999", "-32768", "1e+30"}
    missing = HOLE.copy()
    missing[5:20, 60:80] = missing[25:40, 60:80] = True
    np.testing.assert_array_equal(valid(sample)[1], ~missing)


@pytest.mark.slow
def test_what_is_missing_already_is_not_named(tmp_path: Path) -> None:
    mask = ~HOLE
    for value in (-9999, 1e30, np.inf):
        pair = pair_of(tmp_path, ground("float32"), holding("float32", value), mask=mask)
        assert heeded(pair).fills == ()
        (tmp_path / "after.tif.msk").unlink(missing_ok=True)


def test_a_declared_value_is_kept_by_the_cure(tmp_path: Path) -> None:
    after = holding("int16", -9999)
    after[5:20, 60:80] = 0
    sample = heeded(pair_of(tmp_path, ground("int16"), after, nodata=0))
    (fill,) = sample.fills
    assert fill.cure == "gdalbuildvrt -srcnodata -9999 -vrtnodata 0"
    missing = HOLE.copy()
    missing[5:20, 60:80] = True
    np.testing.assert_array_equal(valid(sample)[1], ~missing)


@pytest.mark.parametrize("value", [-9999, 1e20])
def test_nan_that_is_declared_keeps_nothing_from_being_one(tmp_path: Path, value: float) -> None:
    after = holding("float32", value)
    after[5:20, 60:80] = np.nan
    sample = heeded(pair_of(tmp_path, ground("float32"), after, nodata=np.nan))
    assert [fill.cure for fill in sample.fills] == [
        f"gdal_edit.py -a_nodata {'-9999' if value < 0 else '1e+20'}"
    ]
    missing = HOLE.copy()
    missing[5:20, 60:80] = True
    np.testing.assert_array_equal(valid(sample)[1], ~missing)


@pytest.mark.parametrize("value", [-9999, -3.4028234663852886e38, 1e20])
@pytest.mark.parametrize("crs", ["EPSG:32632", "EPSG:4326"])
def test_a_warp_mixes_no_fill_into_its_neighbours(tmp_path: Path, value: float, crs: str) -> None:
    transform = NORTH_UP @ Affine.translation(0.3, 0.4)
    if crs == "EPSG:4326":
        corner = Transformer.from_crs(32632, 4326, always_xy=True).transform(*(transform @ (0, 0)))
        transform = Affine(1.27e-4, 0, corner[0], 0, -9e-5, corner[1])
    after = holding("float32", value, ONE)
    place = {"crs": CRS.from_string(crs), "transform": transform}
    sample = heeded(pair_of(tmp_path, ground("float32"), after, **place))
    assert sample.pair.after.offset_px is None
    assert [fill.bands for fill in sample.fills] == [ONE]
    with sample.pair.after.reader() as read:
        pixels, seen = read(sample.pair.grid.full_window)
    assert 0.03 < 1 - seen.mean() < 0.3
    assert pixels[seen].min() >= 60 and pixels[seen].max() <= 200


def test_windows_of_the_sample_hold_no_fill(tmp_path: Path) -> None:
    after = holding("float64", 1e300)
    after[:10] = -9999
    sample = heeded(pair_of(tmp_path, ground("float64"), after))
    assert all(isinstance(window, RawWindow) for window in sample.after)
    for window in sample.after:
        assert not window.pixels[~window.valid].any()
        assert np.abs(window.pixels).max() <= 200
    assert sample.nodata_shares()[1] == pytest.approx(HOLE.mean() + 10 / SIZE)


def test_every_window_reads_alike(tmp_path: Path) -> None:
    sample = heeded(pair_of(tmp_path, ground("int16"), holding("int16", -9999)))
    with sample.pair.after.reader() as read:
        whole = read(sample.pair.grid.full_window)[1]
        for window in (Window(0, 0, 50, 96), Window(52, 12, 5, 5), Window(70, 30, 26, 30)):
            np.testing.assert_array_equal(
                read(window)[1], whole[window.within(sample.pair.grid.full_window)]
            )


def test_of_unsigned_bands_no_pixel_is_read_to_heed_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = pair_of(tmp_path, ground("uint8"), holding("uint8", 0))
    monkeypatch.setattr(SceneSample, "_both", property(lambda _: pytest.fail("was read")))
    sample = SceneSample(pair)
    assert sample.with_fills_masked() is sample
