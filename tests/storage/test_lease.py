"""One run at a time holds a lease, and a dead run loses it."""

from __future__ import annotations

import json
import os
from typing import Any

import obstore
import pytest
from s3_server import S3Server

from geochange.errors import OutputError, RunError
from geochange.progress import no_progress
from geochange.storage import lease
from geochange.storage.lease import LEASE_KEY, Lease, hold_lease
from geochange.storage.object_client import client_of
from geochange.storage.object_work import ObjectWork

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(lease, "LOOK_S", 0.01)
    return f"s3://bucket/lease/{request.node.name}"


def leave(url: str, **record: Any) -> None:
    """The lease of another run."""
    value = {**lease.this_process(), "owner": "other", **record}
    obstore.put(client_of(url), LEASE_KEY, json.dumps(value).encode())


@pytest.mark.slow
def test_it_is_deleted_at_the_end_and_is_no_entry(url: str) -> None:
    with hold_lease(url) as held:
        held.watched(no_progress)("infer", 0, 1)
        assert ObjectWork(url).entries() is None
        assert list(ObjectWork(url).keys("")) == [LEASE_KEY]
    assert list(ObjectWork(url).keys("")) == []


@pytest.mark.slow
def test_a_holder_that_renews_is_left_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(url, host="elsewhere", process=1)
    monkeypatch.setattr(lease.time, "sleep", lambda s: leave(url, host="elsewhere", v=s))
    with pytest.raises(OutputError, match=r"another run .*on elsewhere.* works there"):
        Lease(url).take()


@pytest.mark.slow
def test_a_holder_that_does_not_renew_is_dead(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.05)
    leave(url, host="elsewhere", process=1)
    with hold_lease(url) as held:
        assert json.loads(ObjectWork(url).read(LEASE_KEY) or b"")["owner"] == held.owner


@pytest.mark.parametrize("process", [2**30, os.getpid()], ids=["gone", "this one"])
def test_a_dead_run_of_this_machine_is_known_at_once(url: str, process: int) -> None:
    leave(url, process=process)
    held = Lease(url)
    held.take()
    held.end()


@pytest.mark.parametrize("value", [b"", b"no JSON", b"[]", b"[" * 3000, b"x" * 9999])
def test_what_is_no_record_is_taken_over_later(
    url: str, value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.02)
    obstore.put(client_of(url), LEASE_KEY, value)
    with hold_lease(url):
        pass


def test_who_loses_it_stops_and_deletes_nothing(url: str) -> None:
    held = Lease(url)
    held.take()
    leave(url, host="elsewhere")
    assert not held._put(held._version) and not held._is_mine()
    held._lost.set()
    with pytest.raises(RunError, match="another run took over"):
        held.watched(no_progress)("infer", 0, 1)
    held.end()
    assert json.loads(ObjectWork(url).read(LEASE_KEY) or b"")["host"] == "elsewhere"


def test_an_answer_that_was_lost_is_no_other_run(url: str, server: S3Server) -> None:
    # The server stores the lease, and the connection ends before it says so.
    lost = iter(["half"])
    with server.failing(lambda call: next(lost, None) if call.kind == "PUT" else None):
        held = Lease(url)
        held.take()
    assert held._version
    held.end()
    assert list(ObjectWork(url).keys("")) == []
