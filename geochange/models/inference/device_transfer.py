"""Device transfer: copies batches to a device and answers back while the device computes.

A GPU copies while it computes only if the copies have their own streams and host memory is pinned
(CUDA C++ Programming Guide, "Overlap of Data Transfer and Kernel Execution"). A tensor that is
copied on one stream and used on another must live until both are done. So the launching thread
keeps it until the answer has arrived.
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
class PendingResult:
    """An answer in transfer to the host.

    source: kept alive during the copy. arrived: a CUDA event; None if the answer is already here.
    """

    host: torch.Tensor
    source: torch.Tensor | None = None
    arrived: Any = None

    def wait(self) -> None:
        """Block until the answer is here; the thread sleeps meanwhile."""
        if self.arrived is not None:
            self.arrived.synchronize()

    def to_numpy(self) -> NDArray[np.float32]:
        """Wait for the answer. Returns a view of memory that is no longer written."""
        self.wait()
        return np.asarray(self.host.numpy())


class DeviceCopier(Protocol):
    """Copies to one device and back.

    pinned: whether batches are stacked in pinned memory. full: whether waiting for a full batch is
    faster.
    """

    pinned: bool
    full: bool

    def on_device(self) -> AbstractContextManager[Any]:
        """A context in which this thread works on the device."""
        ...

    def to_device(self, batch: Batch) -> tuple[Batch, Any]:
        """Start to copy a batch. Returns it on the device, with a handle for its arrival."""
        ...

    def wait_for_arrival(self, ready: Any) -> None:
        """Make later launches of this thread wait for a batch that was sent."""
        ...

    def to_host(self, answer: torch.Tensor) -> PendingResult:
        """Start to copy an answer that this thread launched to the host, as float32."""
        ...

    def synchronize(self) -> None:
        """Wait for all launches and free unused memory."""
        ...


class HostCopier:
    """The CPU: nothing is copied."""

    pinned = False
    full = False

    def on_device(self) -> AbstractContextManager[Any]:
        """No context is needed on a CPU."""
        return nullcontext()

    def to_device(self, batch: Batch) -> tuple[Batch, Any]:
        """The batch itself."""
        return batch, None

    def wait_for_arrival(self, ready: Any) -> None:
        """Nothing to wait for."""

    def to_host(self, answer: torch.Tensor) -> PendingResult:
        """The answer itself."""
        return PendingResult(answer.float().cpu())

    def synchronize(self) -> None:
        """Nothing to wait for."""


class CudaCopier:
    """A GPU, with one stream for each direction."""

    pinned = True
    full = True

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._there = cuda.Stream(device)
        self._back = cuda.Stream(device)

    def on_device(self) -> AbstractContextManager[Any]:
        """Make it the current device, on which torch.compile launches its kernels."""
        return cuda.device(self.device)

    def to_device(self, batch: Batch) -> tuple[Batch, Any]:
        """Copy on the stream to the device, and record an event.

        The pinned memory may be released at once: its allocator keeps it until the copy is done.
        """
        with cuda.stream(self._there):
            return batch.to(self.device), self._there.record_event()

    def wait_for_arrival(self, ready: Any) -> None:
        """Make the current stream wait; the host does not."""
        cuda.current_stream(self.device).wait_event(ready)

    def to_host(self, answer: torch.Tensor) -> PendingResult:
        """Copy on the stream to the host, after what is launched so far."""
        answer = answer.float()
        host = torch.empty(answer.shape, dtype=torch.float32, pin_memory=self.pinned)
        self._back.wait_event(cuda.current_stream(self.device).record_event())
        with cuda.stream(self._back):
            host.copy_(answer, non_blocking=True)
            # A blocking event lets the waiting thread sleep instead of polling.
            arrived = cuda.Event(blocking=True)
            arrived.record(self._back)
        return PendingResult(host, answer, arrived)

    def synchronize(self) -> None:
        """Wait for the device and empty torch's cache of its memory."""
        cuda.synchronize(self.device)
        cuda.empty_cache()


class SynchronousCopier(HostCopier):
    """Any other device: copies are synchronous."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def to_device(self, batch: Batch) -> tuple[Batch, Any]:
        """Copy and wait."""
        return batch.to(self.device), None


def copier_for(device: str) -> DeviceCopier:
    """The carrier of a device."""
    target = torch.device(device)
    if target.type == "cuda":
        return CudaCopier(target)
    return HostCopier() if target.type == "cpu" else SynchronousCopier(target)
