"""From chips of other bands than RGB to a map: the YAML files of configs/, trained a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from chip_folders import built
from makers import make_raster
from numpy.typing import NDArray

from geochange.config import RunOptions, TrainOptions
from geochange.config.yaml_files import read_options
from geochange.errors import GeochangeError, InputError, OptionError
from geochange.models.weights.checkpoint import read_checkpoint
from geochange.workflows.detect import detect
from geochange.workflows.evaluate import evaluate
from geochange.workflows.export_network import ExportOptions, export_network
from geochange.workflows.preflight import check_run
from geochange.workflows.train import train

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / "configs"
SHORT = {"optim.steps": 2, "optim.warmup_steps": 1, "optim.batch": 2, "validation.every": 2,
         "data.workers": 0, "validation.sheet": 2}  # fmt: skip
QUIET: dict[str, Any] = {"report": "none", "skip_checks": True, "threads": 1, "min_area": 0}

Dates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]


def with_height(seed: int) -> Dates:
    """Red, green, blue, near infrared and height in metres; a house of 9 m is built."""
    before, after, label = built(64, seed)
    heights = [np.full((64, 64, 1), 420.0), np.where(label > 0, 429.0, 420.0)[..., None]]
    noise = np.random.default_rng(seed).normal(0, 0.3, (2, 64, 64, 1))
    first, second = (
        np.concatenate([date, 0.5 * date[..., :1], height + rough], -1).astype(np.float32)
        for date, height, rough in zip((before, after), heights, noise, strict=True)
    )
    return first, second, label


def rgb_alone(seed: int) -> Dates:
    first, second, label = with_height(seed)
    return first[..., :3], second[..., :3], label


def with_radar(seed: int) -> Dates:
    """VV and VH in linear power, where water comes up."""
    _, _, label = built(64, seed)
    rng = np.random.default_rng(seed)
    ground = np.full((64, 64, 2), [0.12, 0.025])
    flooded = np.where(label[..., None] > 0, ground / 12, ground)
    first, second = (
        (power * rng.gamma(4.4, 1 / 4.4, power.shape)).astype(np.float32)
        for power in (ground, flooded)
    )
    return first, second, label


def describe(path: Path, names: tuple[str, ...]) -> Path:
    with rasterio.open(path, "r+") as opened:
        opened.descriptions = names
    return path


def make_chips(root: Path, make: Callable[[int], Dates], names: tuple[str, ...]) -> Path:
    for number, (split, count) in enumerate({"train": 4, "val": 2}.items()):
        for chip in range(count):
            first, second, label = make(1000 * number + chip)
            for folder, picture in (("time1", first), ("time2", second), ("label", label)):
                (root / split / folder).mkdir(parents=True, exist_ok=True)
                path = make_raster(root / split / folder / f"{chip}.tif", picture)
                if folder != "label":
                    describe(path, names)
    return root


def make_pair(folder: Path, make: Callable[[int], Dates], names: tuple[str, ...]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    dates = make(77)[:2]
    return [
        describe(make_raster(folder / f"{name}.tif", date), names)
        for name, date in zip(("before", "after"), dates, strict=True)
    ]


BANDS = ("red", "green", "blue", "nir", "height")


@pytest.fixture(scope="module")
def multispectral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a short training on five bands."""
    folder = tmp_path_factory.mktemp("bands")
    root = make_chips(folder / "chips", with_height, BANDS)
    options = read_options(
        TrainOptions, CONFIGS / "multispectral.yaml", {**SHORT, "data.root": str(root)}
    )
    return train(options, folder / "run").best


def test_the_card_has_the_bands_of_the_training_split(multispectral: Path) -> None:
    bands = read_checkpoint(multispectral).card.options.bands
    assert bands is not None and bands.names == BANDS and bands.numbers == (1, 2, 3, 4, 5)
    values = np.concatenate(
        [date.reshape(-1, 5) for seed in range(4) for date in with_height(seed)[:2]]
    ).astype(np.float64)
    np.testing.assert_allclose(bands.mean, values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(bands.std, values.std(axis=0), rtol=1e-4)
    assert bands.rgb == (0, 1, 2) and bands.unit == "raw"
    assert (multispectral.parent / "sheets" / "0000002.png").is_file()


def test_run_finds_the_bands_by_name_in_any_order(multispectral: Path, tmp_path: Path) -> None:
    options = {**QUIET, "model": str(multispectral)}
    plain = make_pair(tmp_path, with_height, BANDS)
    first = detect(*plain, tmp_path / "a.gpkg", **options)
    turned = []
    for path in plain:
        pixels = np.moveaxis(rasterio.open(path).read(), 0, -1)
        other = make_raster(tmp_path / f"turned_{path.name}", pixels[..., ::-1])
        turned.append(describe(other, BANDS[::-1]))
    second = detect(*turned, tmp_path / "b.gpkg", **options)
    one, other = (rasterio.open(result.raster).read(1) for result in (first, second))
    assert np.ptp(one) > 0 and (one == other).all()


def test_run_refuses_with_names_what_a_raster_lacks(multispectral: Path, tmp_path: Path) -> None:
    def check(pair: list[Path], **options: Any) -> Any:
        given = RunOptions.parse({"model": str(multispectral), **options})
        return check_run(*pair, tmp_path / "o.gpkg", given)

    pair = make_pair(tmp_path / "whole", with_height, BANDS)
    assert check(pair).pair.before.bands == (1, 2, 3, 4, 5)
    poor = make_pair(tmp_path / "poor", rgb_alone, BANDS[:3])
    with pytest.raises(
        InputError, match=r"before\.tif: lacks nir, height, of the bands red, green"
    ):
        check(poor)
    with pytest.raises(OptionError, match=r"--bands 1,2,3: the model needs 5 bands.*nir, height"):
        check(poor, bands="1,2,3")
    named = check(pair, bands="1,2,3,4,5", stretch="none")
    assert named.options.stretch == "none" and named.stretch == "none"
    with pytest.raises(OptionError, match=r"--stretch joint: .* leave --stretch out"):
        check(pair, stretch="joint")


def test_radar_is_learnt_in_decibels_and_run_takes_the_checkpoint(tmp_path: Path) -> None:
    root = make_chips(tmp_path / "chips", with_radar, ("VV", "VH"))
    options = read_options(TrainOptions, CONFIGS / "radar.yaml", {**SHORT, "data.root": str(root)})
    best = train(options, tmp_path / "run").best
    bands = read_checkpoint(best).card.options.bands
    assert bands is not None and bands.names == ("VV", "VH") and bands.unit == "db"
    assert -12 < bands.mean[0] < -8 and -20 < bands.mean[1] < -15

    pair = make_pair(tmp_path, with_radar, ("VV", "VH"))
    result = detect(*pair, tmp_path / "changes.gpkg", model=str(best), **QUIET)
    assert np.ptp(rasterio.open(result.raster).read(1)) > 0


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"augment.speckle": 0.5}, "augment.speckle: is noise of a radar; set data.pixels db"),
        ({"prompts.mode": "per-date"}, "CLIP needs red, green and blue.*data.rgb 3,2,1"),
        ({"network.variant": "lite"}, "land classes of network.variant lite need RGB"),
        ({"data.bands": "1,9"}, "has no band 9"),
        ({"data.rgb": "1,2"}, "data.rgb 1,2: three numbers of bands"),
        ({"data.rgb": "1,2,7"}, "data.rgb: band 7 is not among those learnt from"),
        ({"data.pixels": "8-bit", "data.bands": "1,2"}, "chips need three bands"),
        ({"data.pixels": "8-bit", "data.bands": "1,2,3", "data.rgb": "1,2,3"}, "data.rgb"),
    ],
)
def test_what_does_not_go_with_bands_is_refused_before_training(
    tmp_path: Path, settings: dict[str, Any], line: str
) -> None:
    root = make_chips(tmp_path / "chips", with_height, ("a", "b", "c", "d", "e"))
    given = {**SHORT, "data.root": str(root), **settings}
    options = read_options(TrainOptions, CONFIGS / "multispectral.yaml", given)
    with pytest.raises(GeochangeError, match=line) as caught:
        train(options, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_evaluate_reads_the_bands_of_the_card(multispectral: Path) -> None:
    root = multispectral.parents[1] / "chips"
    found = evaluate(str(multispectral), root, split="val", worst=1)
    assert len(found.chips) == 2
    assert all(row.chip.before.shape == (64, 64, 3) for row in found.worst)


def test_evaluate_finds_water_by_the_log_ratio(tmp_path: Path) -> None:
    root = make_chips(tmp_path, with_radar, ("VV", "VH"))
    found = evaluate("ratio", root, split="val", worst=1)
    assert found.figures["iou"].value > 0.7


def test_an_export_of_other_bands_is_refused(multispectral: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"was taught red, green, blue, nir, height, and only"):
        export_network(str(multispectral), tmp_path / "a.onnx", ExportOptions())
