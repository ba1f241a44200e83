"""Batches: the same chips in the same order from any start, and no warnings."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest
from makers import noise

from geochange.chip import Chip
from geochange.training.data.augment import Augmentation
from geochange.training.data.loader import BothNames, ChipDataset, Loader
from geochange.training.data.sampler import BatchShare

pytestmark = pytest.mark.slow


class Chips:
    def __len__(self) -> int:
        return 5

    def __getitem__(self, number: int) -> Chip:
        pixels = noise((40, 40, 3), number)
        return Chip(pixels, pixels, np.ones((40, 40), np.bool_), np.zeros((40, 40), np.uint8))

    def pictures(self, number: int) -> tuple[str, str]:
        return self.name(number), self.name(number)

    def name(self, number: int) -> str:
        return str(number)


def together(lessons: list[tuple[Chip, BothNames]]) -> list[tuple[bytes, str]]:
    return [(chip.before.tobytes(), names[0][0]) for chip, names in lessons]


def loader(workers: int) -> Loader[list[tuple[bytes, str]]]:
    names = [((str(number),), ("after",)) for number in range(5)]
    lessons = ChipDataset(Chips(), names, Augmentation(size_px=32), seed=3)
    return Loader(lessons, together, BatchShare(4, 2, 0, 1), workers)


def test_a_training_that_goes_on_sees_what_it_would_have_seen() -> None:
    through = dict(loader(0).steps(0, 6))
    later = dict(loader(0).steps(4, 6))
    assert list(through) == list(range(6)) and list(later) == [4, 5]
    assert all(later[step] == through[step] for step in later)
    assert [len(part) for part in through[0]] == [2, 2]
    assert through[0] != through[1]


def test_names_belong_to_their_chips() -> None:
    whole = Augmentation(size_px=40, rotate=0, crop_share=1, flip=0, photometric=0)
    lessons = ChipDataset(Chips(), [((str(n),), ()) for n in range(5)], whole, seed=3)
    for sample in range(10):
        chip, (names, _) = lessons[sample]
        np.testing.assert_array_equal(chip.before, Chips()[int(names[0])].before)


def test_more_processes_than_cores_are_not_remarked_on() -> None:
    # Separate from pytest's own list of warnings.
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        started = loader((os.cpu_count() or 1) + 1).steps(0, 1)
        step, parts = next(started)
        started.close()
    assert (step, len(parts)) == (0, 2)
    assert [str(each.message) for each in said if "DataLoader" in str(each.message)] == []


def test_waiting_is_a_share() -> None:
    one = loader(0)
    assert one.waiting.share == 0.0
    list(one.steps(0, 2))
    assert 0 < one.waiting.share <= 1
