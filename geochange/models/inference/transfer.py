"""Transfer: batches to a device and answers back, on a GPU beside what it computes.

A GPU copies and computes at once only where copies have streams of their own and the host's memory
is pinned (CUDA C++ Programming Guide, "Overlap of Data Transfer and Kernel Execution"). What is
copied on one stream and used on another must live until both are through with it, so whoever
launches keeps it until its answer has arrived.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import cuda

from geochange.models.inference.batch import Batch


@dataclass(frozen=True, slots=True)
class Coming:
    """An answer on its way to the host.

    source: kept for as long as it is copied from. arrived: a CUDA event; None where it is here.
    """

    host: torch.Tensor
    source: torch.Tensor | None = None
    arrived: Any = None

    def wait(self) -> None:
        """Return once the answer is here; the processor is free meanwhile."""
        if self.arrived is not None:
            self.arrived.synchronize()

    def numbers(self) -> NDArray[np.float32]:
        """The answer, waited for; a view of memory that nobody writes to any more."""
        self.wait()
        return np.asarray(self.host.numpy())


class Carrier(Protocol):
    """The way to one device and back.

    pinned: whether batches are stacked in pinned memory. full: whether a batch that is not full is
    worth waiting for more.
    """

    pinned: bool
    full: bool

    def here(self) -> AbstractContextManager[Any]:
        """Work on this device, in this thread."""
        ...

    def send(self, batch: Batch) -> tuple[Batch, Any]:
        """Begin to copy a host's batch; gives it on the device, and what says when it is there."""
        ...

    def receive(self, ready: Any) -> None:
        """Have what this thread launches from now on wait for a batch that was sent."""
        ...

    def fetch(self, answer: torch.Tensor) -> Coming:
        """Begin to copy an answer that this thread launched to the host, as float32."""
        ...

    def settle(self) -> None:
        """Wait for all that was launched and give back what memory is not in use."""
        ...


class HostCarrier:
    """To the CPU: nothing is copied."""

    pinned = False
    full = False

    def here(self) -> AbstractContextManager[Any]:
        """There is one CPU."""
        return nullcontext()

    def send(self, batch: Batch) -> tuple[Batch, Any]:
        """The batch as it is."""
        return batch, None

    def receive(self, ready: Any) -> None:
        """It is there."""

    def fetch(self, answer: torch.Tensor) -> Coming:
        """Have the answer as it is."""
        return Coming(answer.float().cpu())

    def settle(self) -> None:
        """Nothing is under way."""


class CudaCarrier:
    """To a GPU, by one stream there and one back."""

    pinned = True
    full = True

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._there = cuda.Stream(device)
        self._back = cuda.Stream(device)

    def here(self) -> AbstractContextManager[Any]:
        """Make it the current device, on which kernels of torch.compile are launched."""
        return cuda.device(self.device)

    def send(self, batch: Batch) -> tuple[Batch, Any]:
        """Copy on the stream there; the event on it says when the batch has arrived.

        The pinned memory may be dropped at once: its allocator keeps it until it was read.
        """
        with cuda.stream(self._there):
            return batch.to(self.device), self._there.record_event()

    def receive(self, ready: Any) -> None:
        """Make the current stream wait; the host does not."""
        cuda.current_stream(self.device).wait_event(ready)

    def fetch(self, answer: torch.Tensor) -> Coming:
        """Copy on the stream back, once what is launched by now is computed."""
        answer = answer.float()
        host = torch.empty(answer.shape, dtype=torch.float32, pin_memory=self.pinned)
        self._back.wait_event(cuda.current_stream(self.device).record_event())
        with cuda.stream(self._back):
            host.copy_(answer, non_blocking=True)
            # Blocking: a thread that waits for it sleeps instead of asking again and again.
            arrived = cuda.Event(blocking=True)
            arrived.record(self._back)
        return Coming(host, answer, arrived)

    def settle(self) -> None:
        """Wait for the device and empty torch's cache of its memory."""
        cuda.synchronize(self.device)
        cuda.empty_cache()


class PlainCarrier(HostCarrier):
    """To any other device: copies wait for what is computed."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def send(self, batch: Batch) -> tuple[Batch, Any]:
        """Copy and wait."""
        return batch.to(self.device), None


def carrier_to(device: str) -> Carrier:
    """The way to a device."""
    target = torch.device(device)
    if target.type == "cuda":
        return CudaCarrier(target)
    return HostCarrier() if target.type == "cpu" else PlainCarrier(target)
