"""The order of chips in training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geochange.training.data.sampler import BatchShare, StepSampler, chip_of_sample, seed_of_sample


@pytest.mark.slow
@given(st.integers(1, 50), st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_every_epoch_sees_every_chip_once(count: int, seed: int, epoch: int) -> None:
    seen = [chip_of_sample(epoch * count + place, count, seed) for place in range(count)]
    assert sorted(seen) == list(range(count))


def test_epochs_and_seeds_shuffle_differently() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [chip_of_sample(epoch * 40 + place, 40, seed) for place in range(40)]

    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)
    assert order(0, 0) == order(0, 0)


def test_augmentation_is_drawn_anew_for_every_sample_and_seed() -> None:
    seeds = {seed_of_sample(sample, seed) for sample in range(100) for seed in range(5)}
    assert len(seeds) == 500
    assert all(0 <= seed < 2**63 for seed in seeds)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 8), st.integers(0, 5))
def test_processes_share_a_step_without_rest_or_overlap(
    world: int, own: int, micro: int, step: int
) -> None:
    batch = world * own
    shares = [BatchShare(batch, min(micro, own), rank, world) for rank in range(world)]
    parts = [part for share in shares for part in share.parts(step)]
    assert [sample for part in parts for sample in part] == list(
        range(step * batch, (step + 1) * batch)
    )
    assert max(map(len, parts)) <= micro
    assert len({len(share.parts(step)) for share in shares}) == 1


def test_a_sampler_that_goes_on_takes_up_where_the_other_stopped() -> None:
    share = BatchShare(6, 4)
    whole = list(StepSampler(share, 0, 5))
    assert whole == [*StepSampler(share, 0, 2), *StepSampler(share, 2, 5)]
    assert whole[:2] == [[0, 1, 2, 3], [4, 5]]
