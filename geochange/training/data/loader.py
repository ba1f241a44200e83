"""Loader: augmented chips in the order of the steps, loaded while the device computes."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from geochange.chip import Chip
from geochange.interrupt import TERMINATION_SIGNALS
from geochange.training.data.augment import Augmentation, augment
from geochange.training.data.chip_source import ChipSource
from geochange.training.data.sampler import BatchShare, StepSampler, chip_of_sample, seed_of_sample

BothNames = tuple[tuple[str, ...], tuple[str, ...]]
"""The class names of a chip, before and after."""

_Sample = TypeVar("_Sample")
_Lesson = TypeVar("_Lesson")


class ChipDataset(Dataset[tuple[Chip, BothNames]]):
    """Augmented chips and their class names, by sample number."""

    def __init__(
        self, source: ChipSource, names: Sequence[BothNames], augmentation: Augmentation, seed: int
    ) -> None:
        self.source, self.names = source, names
        self.augmentation, self.seed = augmentation, seed

    def __getitem__(self, sample: int) -> tuple[Chip, BothNames]:
        number = chip_of_sample(sample, len(self.source), self.seed)
        chip = augment(self.source[number], self.augmentation, seed_of_sample(sample, self.seed))
        return chip, self.names[number]


@dataclass(slots=True)
class LoaderTiming:
    """How long the training waited for chips, and how long it took in all."""

    waited_s: float = 0.0
    total_s: float = 0.0

    @property
    def share(self) -> float:
        """The share of waiting, from 0 to 1."""
        return self.waited_s / self.total_s if self.total_s else 0.0


class Loader(Generic[_Sample, _Lesson]):
    """The micro-batches of each step, loaded by processes of their own.

    collate: what makes a lesson of samples. workers: 0 loads in this process.
    """

    def __init__(
        self,
        lessons: Dataset[_Sample],
        collate: Callable[[list[_Sample]], _Lesson],
        share: BatchShare,
        workers: int,
        *,
        pin: bool = False,
    ) -> None:
        self.lessons, self.collate, self.share = lessons, collate, share
        self.workers, self.pin = workers, pin
        self.waiting = LoaderTiming()

    def steps(self, first: int, last: int) -> Iterator[tuple[int, list[_Lesson]]]:
        """The number of each step with its micro-batches."""
        lessons = self._load(first, last)
        for step in range(first, last):
            start = time.perf_counter()
            parts = [next(lessons) for _ in self.share.parts(step)]
            loaded = time.perf_counter()
            yield step, parts
            self.waiting.waited_s += loaded - start
            self.waiting.total_s += time.perf_counter() - start

    def _load(self, first: int, last: int) -> Iterator[_Lesson]:
        with warnings.catch_warnings():
            # torch warns if there are more workers than cores; the number asked for is kept.
            warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
            loader: DataLoader[Any] = DataLoader(
                self.lessons,
                batch_sampler=StepSampler(self.share, first, last),
                num_workers=self.workers,
                collate_fn=self.collate,
                pin_memory=self.pin,
                worker_init_fn=_set_up_worker,
                prefetch_factor=4 if self.workers else None,
            )
            return iter(loader)


def _set_up_worker(worker: int) -> None:
    # Each worker fills one core; more threads would compete for the cores.
    torch.set_num_threads(1)
    # The training process handles signals; it ends its workers itself.
    for number in (signal.SIGINT, *TERMINATION_SIGNALS):
        signal.signal(number, signal.SIG_IGN)
