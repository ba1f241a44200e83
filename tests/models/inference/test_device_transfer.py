"""A GPU copies while it computes, and waits in the right places; a CPU never waits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fake_devices import FakeCuda, chips_of

from geochange.models.inference import device_transfer
from geochange.models.inference.batch import stack
from geochange.models.inference.device_transfer import (
    CudaCopier,
    HostCopier,
    SynchronousCopier,
    copier_for,
)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    made = FakeCuda()
    monkeypatch.setattr(device_transfer, "cuda", made)
    monkeypatch.setattr(CudaCopier, "pinned", False)
    return made


def carrier() -> CudaCopier:
    return CudaCopier(torch.device("cpu"))


def test_a_batch_is_sent_on_a_stream_of_its_own_and_only_the_computing_waits(
    cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    move = device_transfer.Batch.to
    monkeypatch.setattr(
        device_transfer.Batch,
        "to",
        lambda *given: sent.append(cuda.current_stream(None).name) or move(*given),
    )
    way = carrier()
    batch, ready = way.to_device(stack(chips_of(3)))
    assert sent == ["there"]
    assert len(batch) == 3
    assert cuda.told == ["record there"]
    way.wait_for_arrival(ready)
    assert cuda.told[1:] == ["compute waits for there"]
    assert not [said for said in cuda.told if "synchronize" in said]


def test_an_answer_comes_back_on_another_stream_once_it_is_computed(cuda: FakeCuda) -> None:
    answer = torch.arange(6.0).reshape(1, 2, 3).to(torch.bfloat16)
    coming = carrier().to_host(answer)
    assert cuda.told == ["record compute", "back waits for compute", "record back"]
    assert coming.arrived.blocking, "a thread that waits must sleep"
    assert coming.source is not None, "what is copied from is kept"
    assert coming.to_numpy().dtype == "float32"
    assert cuda.told[-1] == "synchronize back"
    assert coming.to_numpy().ravel().tolist() == [0, 1, 2, 3, 4, 5]


def test_memory_is_given_back_when_nothing_runs(cuda: FakeCuda) -> None:
    carrier().synchronize()
    assert cuda.told == ["synchronize device", "empty cache"]


def test_the_way_follows_from_the_device(cuda: FakeCuda) -> None:
    kinds: dict[str, Any] = {"cpu": HostCopier, "cuda:1": CudaCopier, "meta": SynchronousCopier}
    for device, kind in kinds.items():
        assert type(copier_for(device)) is kind


def test_to_the_cpu_nothing_is_copied() -> None:
    way, batch = HostCopier(), stack(chips_of(2))
    assert way.to_device(batch) == (batch, None)
    answer = torch.ones(1, 2, 2)
    assert way.to_host(answer).host.data_ptr() == answer.data_ptr()


def test_chips_are_channels_last_without_a_copy() -> None:
    batch = stack(chips_of(2))
    assert batch.before.is_contiguous(memory_format=torch.channels_last)
    assert batch[1:].before.data_ptr() == batch.before[1].data_ptr()
