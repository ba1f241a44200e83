"""Labelled buildings and town layouts as objects to plant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import make_labelled, save_label
from unlabelled_pictures import make_pictures

from geochange.errors import InputError
from geochange.training.planting import read_library
from geochange.training.planting.labelled_buildings import (
    LARGEST_SHARE,
    LabelledTown,
    buildings_of,
    read_towns,
)
from geochange.training.planting.things import Ground, make_planted_object

ZOOMS = (1.0, 2.0)


def town(picture: bool) -> LabelledTown:
    mask = np.zeros((200, 200), np.uint8)
    for row in range(10, 190, 40):
        for col in range(10, 190, 40):
            mask[row : row + 16, col : col + 16] = 1
    colours = np.zeros((200, 200, 3), np.uint8)
    colours[mask > 0] = (200, 60, 60)
    return LabelledTown(mask, colours if picture else None, ZOOMS)


def test_cut_out_buildings_look_as_they_did() -> None:
    found = [buildings_of(town(True), 64, np.random.default_rng(seed)) for seed in range(20)]
    for houses in filter(None, found):
        assert 0 < houses.mask.mean() <= LARGEST_SHARE
        inner = houses.colours[houses.mask].mean(axis=0)
        assert inner[0] > 150 > 100 > inner[1]
    assert any(found)


def test_a_layout_is_given_roofs() -> None:
    found = [buildings_of(town(False), 64, np.random.default_rng(seed)) for seed in range(20)]
    assert any(found)
    for houses in filter(None, found):
        assert np.isfinite(houses.colours).all()
        assert houses.colours[houses.mask].std() > 0


def test_where_nothing_stands_there_is_nothing_to_plant() -> None:
    empty = LabelledTown(np.zeros((200, 200), np.uint8), None, ZOOMS)
    assert buildings_of(empty, 64, np.random.default_rng(0)) is None


def test_a_thing_is_a_function_of_its_seed() -> None:
    host = np.full((64, 64, 3), 90, np.float32)
    ground = Ground(host, host, False, False, town(True))
    one, same = (make_planted_object(ground, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.mask, same.mask)
    np.testing.assert_array_equal(one.colours, same.colours)


@pytest.mark.slow
def test_every_fifth_is_kept_out_and_pictures_join_the_places(tmp_path: Path) -> None:
    make_pictures(tmp_path)
    alone = read_library(tmp_path)
    assert alone.towns == ()
    make_labelled(tmp_path / "labelled", "houses", (0, 1), count=5)
    for number in range(5):
        layout = np.zeros((96, 96), np.uint8)
        layout[20:40, 20:40] = 255
        save_label(tmp_path / "labelled" / "houses" / "footprints" / f"{number}.png", layout)
    for date in ("time1", "time2"):
        for number in range(5):
            flat = np.full((96, 96, 3), 60 + number, np.uint8)
            save_label(tmp_path / "labelled" / "korea" / date / f"{number}.png", flat)
    learnt, kept = (read_library(tmp_path, kept_out=k) for k in (False, True))
    assert (len(learnt.towns), len(kept.towns)) == (8, 2)
    assert sum(t.picture is None for t in learnt.towns) == 4
    assert (len(learnt.of(True, True)), len(kept.of(True, True))) == (4, 1)
    names = [{name for place in each.places for name in place.names} for each in (learnt, kept)]
    assert not names[0] & names[1]


def test_a_label_without_its_picture_is_refused(tmp_path: Path) -> None:
    make_labelled(tmp_path, "houses", (0, 1))
    (tmp_path / "houses" / "images" / "0.png").unlink()
    with pytest.raises(InputError, match="has no picture"):
        read_towns(tmp_path, kept_out=False)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    make_labelled(tmp_path, "houses", (0, 1))
    (tmp_path / "houses" / "labels" / "0.png").write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read as a picture"):
        read_towns(tmp_path, kept_out=False)
