"""Models with prescribed behaviour, and a simulated GPU, for tests of the device feed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from makers import make_chip, noise

from geochange.chip import Chip
from geochange.models.inference.batch import Batch


def chips_of(count: int, seed: int = 0, size: int = 5) -> list[Chip]:
    """Chips whose first pixel, before, is never 13 nor 255."""
    pictures = 20 + noise((count, 2, size, size + 1, 2), seed) // 2
    return [make_chip(before, after) for before, after in pictures]


def differences(chips: Sequence[Chip]) -> np.ndarray:
    """The logits of `Difference` for chips."""
    return np.stack([c.after[..., 0].astype(np.float32) - c.before[..., 0] for c in chips])


class Difference:
    """Logit = first band after minus first band before. It records the size of every batch.

    holds: the number of chips that do not fit at once. A chip that begins with 13 raises an error. gate:
    is waited for before a batch is answered.
    """

    bands = None
    threshold = 0.5

    def __init__(self, holds: int = 10**6) -> None:
        self.holds = holds
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def fit(self, sample: Any) -> dict[str, Any]:
        return {}

    def adopt(self, statistics: Any) -> None:
        pass

    def change_logits(self, batch: Batch) -> torch.Tensor:
        self.sizes.append(len(batch))
        self.entered.release()
        assert self.gate.wait(30)
        if len(batch) > self.holds:
            raise torch.OutOfMemoryError("tried to allocate\nmore than there is")
        if (batch.before[:, 0, 0, 0] == 13).any():
            raise ArithmeticError("thirteen")
        return batch.after[:, 0].float() - batch.before[:, 0].float()


class Naming(Difference):
    """Scores mean and peak; its logit is the peak after. It records the order of calls."""

    classes = ("mean", "peak")

    def __init__(self, holds: int = 10**6, holds_scores: int = 10**6) -> None:
        super().__init__(holds)
        self.holds_scores = holds_scores
        self.asked: list[str] = []

    def class_scores(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        self.asked.append(f"score {len(batch)}")
        if len(batch) > self.holds_scores:
            raise torch.OutOfMemoryError("no room for scores")
        dates = (date[:, 0].float().flatten(1) for date in (batch.before, batch.after))
        before, after = (torch.stack([d.mean(1), d.amax(1)], dim=1) for d in dates)
        return before, after

    def change_logits(self, batch: Batch, scores: Any = None) -> torch.Tensor:
        self.asked.append(f"decide {len(batch)}")
        assert all(date.device.type == "cpu" and len(date) == len(batch) for date in scores)
        super().change_logits(batch)
        return scores[1][:, 1:, None].expand(batch.valid.shape)

    def named_logits(self, batch: Batch, names: Any) -> torch.Tensor:
        before, after = names
        assert len(before) == len(after) == len(batch)
        lengths = [len(one) - 10.0 * len(other) for one, other in zip(before, after, strict=True)]
        return torch.tensor(lengths)[:, None, None].expand(batch.valid.shape)


class FakeEvent:
    def __init__(self, cuda: FakeCuda, blocking: bool = False) -> None:
        self.cuda, self.blocking, self.name = cuda, blocking, ""

    def record(self, stream: FakeStream) -> None:
        self.name = f"{stream.name}.{len(self.cuda.told)}"
        self.cuda.told.append(f"record {stream.name}")

    def synchronize(self) -> None:
        self.cuda.told.append(f"synchronize {self.name.split('.')[0]}")


class FakeStream:
    def __init__(self, cuda: FakeCuda, name: str) -> None:
        self.cuda, self.name = cuda, name

    def record_event(self) -> FakeEvent:
        event = FakeEvent(self.cuda)
        event.record(self)
        return event

    def wait_event(self, event: FakeEvent) -> None:
        self.cuda.told.append(f"{self.name} waits for {event.name.split('.')[0]}")


class FakeCuda:
    """Replaces torch.cuda: records which stream waits for which, and simulates memory."""

    def __init__(self, free: int = 0) -> None:
        self.told: list[str] = []
        self.free = free
        self.reserved = self.allocated = self.peak = 0
        self._streams = iter(("there", "back", *map(str, range(100))))
        self._compute = FakeStream(self, "compute")
        # As in torch, each thread has its own current stream.
        self._current = threading.local()

    def Stream(self, device: Any) -> FakeStream:  # noqa: N802  torch's name
        return FakeStream(self, next(self._streams))

    def Event(self, blocking: bool = False) -> FakeEvent:  # noqa: N802  torch's name
        return FakeEvent(self, blocking)

    def current_stream(self, device: Any) -> FakeStream:
        return getattr(self._current, "stream", self._compute)

    @contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        before, self._current.stream = self.current_stream(None), stream
        yield
        self._current.stream = before

    @contextmanager
    def device(self, device: Any) -> Iterator[None]:
        yield

    def synchronize(self, device: Any) -> None:
        self.told.append("synchronize device")

    def empty_cache(self) -> None:
        self.told.append("empty cache")

    def reset_peak_memory_stats(self, device: Any) -> None:
        self.peak = self.allocated

    def max_memory_allocated(self, device: Any) -> int:
        return self.peak

    def memory_allocated(self, device: Any) -> int:
        return self.allocated

    def memory_reserved(self, device: Any) -> int:
        return self.reserved

    def mem_get_info(self, device: Any) -> tuple[int, int]:
        return self.free, 10 * self.free
