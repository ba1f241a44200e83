"""Sampler: which chip is learnt at which step; it depends on the seed and the step alone.

An interrupted training, or one on other devices, therefore sees the same chips with the same
augmentation at every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from torch.utils.data import Sampler

_ORDER, _AUGMENT = 0, 1  # separate random streams


@lru_cache(maxsize=4)
def _shuffled_order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count)


def chip_of_sample(sample: int, count: int, seed: int) -> int:
    """The chip of the `sample`th draw of `count` chips; every epoch draws each of them once."""
    epoch, place = divmod(sample, count)
    return int(_shuffled_order(seed, epoch, count)[place])


def seed_of_sample(sample: int, seed: int) -> int:
    """The seed of the augmentation of the `sample`th draw."""
    return int(
        np.random.SeedSequence([seed, _AUGMENT, sample]).generate_state(1, np.uint64)[0] >> 1
    )


@dataclass(frozen=True, slots=True)
class BatchShare:
    """The part of every step that one process computes.

    batch: chips a step, over all processes. micro_batch: chips at once. rank, world: number of this
    process, and of processes.
    """

    batch: int
    micro_batch: int
    rank: int = 0
    world: int = 1

    def parts(self, step: int) -> list[list[int]]:
        """The samples of a step for this process, in micro-batches."""
        size = self.batch // self.world
        start = step * self.batch + self.rank * size
        samples = list(range(start, start + size))
        return [samples[at : at + self.micro_batch] for at in range(0, size, self.micro_batch)]


class StepSampler(Sampler[list[int]]):
    """The samples of steps `first` to `last` - 1, in micro-batches."""

    def __init__(self, share: BatchShare, first: int, last: int) -> None:
        self.share, self.first, self.last = share, first, last

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first, self.last):
            yield from self.share.parts(step)
