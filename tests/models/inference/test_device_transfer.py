"""A GPU copies while it computes, and waits in the right places; a CPU never waits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from feeding import FakeCuda, chips_of

from geochange.models.inference import transfer
from geochange.models.inference.batch import stack
from geochange.models.inference.transfer import CudaCarrier, HostCarrier, PlainCarrier, carrier_to


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    made = FakeCuda()
    monkeypatch.setattr(transfer, "cuda", made)
    monkeypatch.setattr(CudaCarrier, "pinned", False)
    return made


def carrier() -> CudaCarrier:
    return CudaCarrier(torch.device("cpu"))


def test_a_batch_is_sent_on_a_stream_of_its_own_and_only_the_computing_waits(
    cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    move = transfer.Batch.to
    monkeypatch.setattr(
        transfer.Batch,
        "to",
        lambda *given: sent.append(cuda.current_stream(None).name) or move(*given),
    )
    way = carrier()
    batch, ready = way.send(stack(chips_of(3)))
    assert sent == ["there"]
    assert len(batch) == 3
    assert cuda.told == ["record there"]
    way.receive(ready)
    assert cuda.told[1:] == ["compute waits for there"]
    assert not [said for said in cuda.told if "synchronize" in said]


def test_an_answer_comes_back_on_another_stream_once_it_is_computed(cuda: FakeCuda) -> None:
    answer = torch.arange(6.0).reshape(1, 2, 3).to(torch.bfloat16)
    coming = carrier().fetch(answer)
    assert cuda.told == ["record compute", "back waits for compute", "record back"]
    assert coming.arrived.blocking, "a thread that waits must sleep"
    assert coming.source is not None, "what is copied from is kept"
    assert coming.numbers().dtype == "float32"
    assert cuda.told[-1] == "synchronize back"
    assert coming.numbers().ravel().tolist() == [0, 1, 2, 3, 4, 5]


def test_memory_is_given_back_when_nothing_runs(cuda: FakeCuda) -> None:
    carrier().settle()
    assert cuda.told == ["synchronize device", "empty cache"]


def test_the_way_follows_from_the_device(cuda: FakeCuda) -> None:
    kinds: dict[str, Any] = {"cpu": HostCarrier, "cuda:1": CudaCarrier, "meta": PlainCarrier}
    for device, kind in kinds.items():
        assert type(carrier_to(device)) is kind


def test_to_the_cpu_nothing_is_copied() -> None:
    way, batch = HostCarrier(), stack(chips_of(2))
    assert way.send(batch) == (batch, None)
    answer = torch.ones(1, 2, 2)
    assert way.fetch(answer).host.data_ptr() == answer.data_ptr()


def test_chips_are_channels_last_without_a_copy() -> None:
    batch = stack(chips_of(2))
    assert batch.before.is_contiguous(memory_format=torch.channels_last)
    assert batch[1:].before.data_ptr() == batch.before[1].data_ptr()
