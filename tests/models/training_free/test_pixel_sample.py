"""Sums over a sample: of valid pixels alone, and the same bits for every number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from makers import make_chip, texture

from geochange import parallelism
from geochange.chip import Chip
from geochange.models.training_free import pixel_sample
from geochange.models.training_free.pixel_sample import PixelSample, deviation_of, mean_of


def chips() -> list[Chip]:
    rng = np.random.default_rng(4)
    dates = [texture(40, 3, seed) for seed in range(6)]
    valid = [np.ones((40, 40), bool), rng.random((40, 40)) > 0.5, np.ones((40, 40), bool)]
    return [make_chip(*each) for each in zip(dates[::2], dates[1::2], valid, strict=True)]


def test_mean_and_deviation_are_those_of_all_valid_pixels() -> None:
    sample = PixelSample.of(chips())
    dates = [[c.before for c in chips()], [c.after for c in chips()]]
    valid = [chip.valid for chip in chips()]
    values = np.hstack(
        [np.concatenate([p[v] for p, v in zip(date, valid, strict=True)]) for date in dates]
    ).astype(np.float64)
    mean = mean_of(sample)
    np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(deviation_of(sample, mean), values.std(axis=0), rtol=1e-12)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_sample, "PART_PIXELS", 500)
    sample, found = PixelSample.of(chips()), []
    for threads in (1, 2, 5):
        monkeypatch.setattr(parallelism, "cpu_count", lambda threads=threads: threads)
        mean = mean_of(sample)
        found.append((mean.tolist(), deviation_of(sample, mean).tolist()))
    assert found[0] == found[1] == found[2]
