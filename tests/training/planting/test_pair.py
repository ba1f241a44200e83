"""Planted pairs: determined by their seed, and labelled where a planted object changes pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from geochange.chip import UNKNOWN, Chip
from geochange.errors import InputError
from geochange.training.planting import (
    Library,
    Nuisances,
    Place,
    PlantedSource,
    Planting,
    plant_pair,
    read_library,
)
from geochange.training.planting.houses import build_houses, shift_mask
from geochange.training.planting.outlines import blob, flood, rectangle, waves
from geochange.training.planting.pair_sheet import write_pair_sheet
from geochange.training.planting.relief import with_relief
from geochange.training.planting.season import greenness, with_season
from geochange.training.planting.things import Ground, make_planted_object

STILL = Nuisances(0, 0, 0, 0)
CALM = Planting(size_px=96, revisits=0, far=0, relief=0, season=0, nuisances=STILL, again=STILL)


def land(seed: int, side: int = 160) -> np.ndarray:
    draw = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(draw.uniform(0, 255, (side, side, 3)), (9, 9, 0))
    bright = (smooth - smooth.min()) / np.ptp(smooth) * 200 + 20
    rough = bright + draw.normal(0, 4, bright.shape)
    return np.asarray(rough.clip(0, 255), np.uint8)


@pytest.fixture(scope="module")
def library() -> Library:
    once = [Place((land(n),), (f"scenes/a/{n}.jpg",), False) for n in range(4)]
    again = [Place((land(9), land(9)), ("one", "two"), far) for far in (False, True)]
    return Library((*once, *again))


def label(chip: Chip) -> Any:
    assert chip.label is not None
    return chip.label


def alike(one: Chip, two: Chip) -> bool:
    pairs = ((one.before, two.before), (one.after, two.after), (label(one), label(two)))
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_a_pair_is_known_by_its_seed(library: Library) -> None:
    assert alike(plant_pair(library, Planting(), 5), plant_pair(library, Planting(), 5))
    assert not alike(plant_pair(library, Planting(), 5), plant_pair(library, Planting(), 6))


@pytest.mark.slow
def test_pairs_differ_where_the_label_says_and_hardly_elsewhere(library: Library) -> None:
    quiet = replace(CALM, unchanged=0, things=1)
    inside, outside = [], []
    for seed in range(30):
        chip = plant_pair(library, quiet, seed)
        changed = label(chip) == 1
        # Shadows and soft edges beside an object are not change.
        far_off = ~ndimage.binary_dilation(changed, iterations=14)
        apart = np.abs(chip.before.astype(int) - chip.after).mean(axis=2)
        inside += apart[changed].tolist()
        outside += apart[far_off].tolist()
    assert np.mean(inside) > 25
    assert np.mean(outside) < 3


@pytest.mark.slow
def test_what_is_planted_at_both_dates_has_no_label(library: Library) -> None:
    for seed in range(10):
        chip = plant_pair(library, replace(CALM, unchanged=1), seed)
        assert not label(chip).any()


@pytest.mark.slow
def test_some_pairs_change_and_some_do_not(library: Library) -> None:
    shares = [np.mean(label(plant_pair(library, Planting(), seed)) == 1) for seed in range(60)]
    assert 10 < sum(share == 0 for share in shares) < 45
    assert 0.01 < np.mean(shares) < 0.2


@pytest.mark.parametrize("far", [False, True])
def test_pairs_are_8_bit_rgb_of_the_size_asked_for(library: Library, far: bool) -> None:
    chip = plant_pair(library, Planting(size_px=64, far=float(far)), 3)
    assert chip.before.shape == chip.after.shape == (64, 64, 3)
    assert chip.before.dtype == np.uint8
    assert set(np.unique(label(chip))) <= {0, 1, UNKNOWN}


def test_outlines_cover_what_they_should() -> None:
    draw = np.random.default_rng(1)
    for make in (blob, rectangle):
        masks = [make(100, (0.01, 0.05), draw) for _ in range(20)]
        assert 0.001 < np.mean([mask.mean() for mask in masks]) < 0.08
    found = flood(land(2)[:100, :100].astype(np.float32), (0.01, 0.2), draw)
    assert found is not None and 0 < found.mean() < 0.4
    assert np.abs(waves(64, 8, draw)).max() < 2


def test_houses_have_roofs_and_shadows_beside_them() -> None:
    houses = build_houses(96, False, np.random.default_rng(4))
    assert houses.mask.any()
    assert (houses.colours[houses.mask] > 0).any()
    shadow = houses.shadow(np.array([4.0, 3.0]))
    assert shadow.any() and not (shadow & houses.mask).any()


def test_a_mask_moves_without_coming_in_again() -> None:
    mask = np.zeros((4, 4), bool)
    mask[0, 0] = mask[3, 3] = True
    assert np.argwhere(shift_mask(mask, (1, 2))).tolist() == [[1, 2]]
    assert np.argwhere(shift_mask(mask, (0, -1))).tolist() == [[3, 2]]


@pytest.mark.slow
def test_what_stands_up_is_seen_from_two_sides_without_a_label(library: Library) -> None:
    leaning = replace(CALM, unchanged=1, things=0, relief=1)
    chips = [plant_pair(library, leaning, seed) for seed in range(12)]
    assert not any(label(chip).any() for chip in chips)
    differ = [np.mean(np.abs(chip.before.astype(int) - chip.after) > 5) for chip in chips]
    assert np.mean([share > 0 for share in differ]) > 0.5
    assert max(differ) < 0.4


@pytest.mark.slow
def test_a_raised_roof_moves_as_a_whole() -> None:
    flat = np.full((96, 96, 3), 90, np.float32)
    flat[30:50, 30:55] = 200
    moved = []
    for seed in range(40):
        seen = with_relief(flat, np.random.default_rng(seed))
        assert seen.shape == flat.shape and seen.min() >= 0 and seen.max() <= 200.5
        roof = (seen > 150).all(axis=2)
        if roof.any() and (seen != flat).any():
            rows, cols = np.nonzero(roof)
            moved.append(np.hypot(rows.mean() - 39.5, cols.mean() - 42))
    assert len(moved) > 10 and 1 < max(moved) < 9


@pytest.mark.slow
def test_fields_are_of_another_season_without_a_label(library: Library) -> None:
    greened = replace(CALM, unchanged=1, things=0, season=1)
    chips = [plant_pair(library, greened, seed) for seed in range(12)]
    assert not any(label(chip).any() for chip in chips)
    assert any(np.abs(chip.before.astype(int) - chip.after).max() > 20 for chip in chips)


@pytest.mark.slow
def test_only_what_grows_is_of_another_season() -> None:
    view = np.empty((96, 96, 3), np.float32)
    view[:] = 172, 154, 118  # straw
    view[:, 32:64] = 128  # concrete
    view[:, 64:] = 190, 110, 80  # tiles
    moved = np.zeros((96, 96), np.float32)
    for seed in range(20):
        seen = with_season(view, np.random.default_rng(seed))
        assert seen.min() >= 0 and seen.max() <= 255
        moved = np.maximum(moved, np.abs(seen - view).max(axis=2))
    assert moved[:, :24].min() > 30
    assert moved[:, 40:56].max() == 0 and moved[:, 72:].max() == 0


def grass(seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    base = np.array([70, 100, 55]) * draw.uniform(0.6, 1.6)
    return np.asarray((base + draw.normal(0, 9, (160, 160, 1))).clip(0, 255), np.uint8)


@pytest.mark.slow
def test_nobody_knows_whether_green_in_place_of_green_is_a_change() -> None:
    meadows = Library(tuple(Place((grass(n),), (f"{n}",), False) for n in range(5)))
    quiet = replace(CALM, unchanged=0, things=1)
    changed, unknown = [], []
    for seed in range(60):
        chip = plant_pair(meadows, quiet, seed)
        green = np.minimum(*(greenness(d.astype(np.float32)) for d in (chip.before, chip.after)))
        changed += [green[mask].mean() for mask in [label(chip) == 1] if mask.any()]
        unknown += [green[mask].mean() for mask in [label(chip) == UNKNOWN] if mask.any()]
    assert len(changed) > 20 and len(unknown) > 3
    assert np.mean(np.array(changed) > 0.7) < 0.2  # a roof may be green
    assert min(unknown) > 0.3


def grown_city() -> Library:
    """A place in satellite images with a new bright quarter at the second date."""
    first = land(9)
    second = first.copy()
    second[60:80, 70:95] = 250
    return Library((Place((first, second), ("one", "two"), True),))


@pytest.mark.slow
def test_what_may_have_grown_between_visits_from_orbit_is_unknown() -> None:
    still = replace(CALM, far=1, revisits=1, unchanged=1, things=0)
    unknown = 0
    for seed in range(30):
        chip = plant_pair(grown_city(), still, seed)
        apart = np.abs(chip.before.astype(int) - chip.after).mean(axis=2)
        assert not (label(chip) == 1).any()
        differs = ndimage.binary_erosion(apart > 100, iterations=3)
        assert (label(chip)[differs] == UNKNOWN).all()
        assert (label(chip)[ndimage.uniform_filter(apart, 9) < 4] == 0).mean() > 0.98
        unknown += (label(chip) == UNKNOWN).any()
    assert 5 < unknown < 25


@pytest.mark.slow
def test_what_is_planted_counts_where_the_rest_is_unknown() -> None:
    busy = replace(CALM, far=1, revisits=1, unchanged=0)
    labels = [label(plant_pair(grown_city(), busy, seed)) for seed in range(40)]
    both = [set(np.unique(each)) == {0, 1, UNKNOWN} for each in labels]
    assert sum(both) > 5


@pytest.mark.slow
def test_from_orbit_things_are_no_brighter_than_what_is_around_them() -> None:
    host = (land(3) / 255 * 40 + 30).astype(np.float32)
    apart = {}
    for far in (False, True):
        things = [
            make_planted_object(Ground(host, host, far), np.random.default_rng(n))
            for n in range(60)
        ]
        drawn = [thing for thing in things if thing.mask.any() and thing.houses is not None]
        apart[far] = np.mean([np.abs(each.colours - host)[each.mask].mean() for each in drawn])
        assert not far or min(thing.soft_px for thing in things) >= 0.4
    assert apart[True] < 0.75 * apart[False]


def folder(root: Path) -> Path:
    for number, city in enumerate(("claremont", "bishop")):
        for year in (2016, 2018):
            file = root / "revisits" / "naip" / f"{city}_{year}_{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(land(number)).save(file)
    scene = root / "scenes" / "ucm" / "forest" / "forest00.jpg"
    scene.parent.mkdir(parents=True)
    Image.fromarray(land(7)).save(scene)
    return root


def test_cities_are_kept_out(tmp_path: Path) -> None:
    root = folder(tmp_path)
    learnt, judged = read_library(root), read_library(root, kept_out=True)
    names = [name for place in learnt.places for name in place.names]
    assert "revisits/naip/claremont_2018_0.jpg" in names
    assert "scenes/ucm/forest/forest00.jpg" in names
    assert [len(place.visits) for place in judged.places] == [2]
    assert all("bishop" in name for name in judged.places[0].names)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures in revisits/ or scenes/"):
        read_library(tmp_path)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    bad = folder(tmp_path) / "scenes" / "ucm" / "forest" / "bad.jpg"
    bad.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"bad\.jpg cannot be read as a picture"):
        read_library(tmp_path)


def test_a_source_tells_what_its_pairs_are_made_of(tmp_path: Path) -> None:
    source = PlantedSource(folder(tmp_path), Planting(size_px=64), 8, 3, kept_out=False)
    assert len(source) == 8
    assert alike(source[2], source[2]) and not alike(source[2], source[3])
    known = {name for place in source.places() for name in place.names}
    assert {name for n in range(8) for name in source.pictures(n)} <= known
    assert len({source.name(n) for n in range(8)}) == 8
    other = replace(source, seed=4)
    assert source.fingerprint() != other.fingerprint()
    assert not alike(source[2], other[2])


@pytest.mark.slow
def test_the_contact_sheet_shows_every_pair(tmp_path: Path, library: Library) -> None:
    chips = [plant_pair(library, Planting(size_px=64), seed) for seed in range(5)]
    write_pair_sheet(tmp_path / "sheet.png", chips)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (4 * 3 * 68 + 4, 2 * 68 + 4)
        assert np.array_equal(np.asarray(sheet)[4:68, 4:68], chips[0].before)
