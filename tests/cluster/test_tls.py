"""Dask's ports run the code that they receive, so they listen on this machine only and need a key."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.comm import connect as connect_to
from distributed.protocol.pickle import dumps
from distributed.security import Security
from listeners import listening_addresses

from geochange.cluster.dask_clusters import cluster_address
from geochange.cluster.dask_jobs import connect
from geochange.errors import OptionError

pytestmark = pytest.mark.slow

IN_PLAIN: dict[str, Any] = {}


def without_certificate() -> dict[str, Any]:
    """TLS without any certificate or check."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return {"ssl_context": context}


def with_other_keys() -> dict[str, Any]:
    """TLS with the keys of another cluster, without checking the other side."""
    arguments: dict[str, Any] = Security.temporary().get_connection_args("client")
    arguments["ssl_context"].verify_mode = ssl.CERT_NONE
    return arguments


STRANGERS = {
    "plain": ("tcp", lambda: IN_PLAIN),
    "TLS without a certificate": ("tls", without_certificate),
    "TLS with other keys": ("tls", with_other_keys),
}


def run_there(address: str, arguments: dict[str, Any], note: Path) -> None:
    """Let the process at an address create a file, as Dask's own client could."""

    async def ask() -> None:
        comm = await connect_to(address, timeout=3, deserialize=False, **arguments)
        try:
            function = dumps(os.mkdir), dumps((str(note),))
            for order in (
                {"op": "run_function", "function": function[0], "args": function[1], "wait": True},
                {"op": "run", "function": function[0], "args": function[1], "wait": True},
            ):
                await comm.write({**order, "kwargs": dumps({}), "reply": True})
                await asyncio.wait_for(comm.read(), 3)
        finally:
            comm.abort()

    asyncio.run(ask())


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    """Two worker processes, as those of `--workers 2`."""
    with connect(None, 2, 1) as client:
        client.wait_for_workers(2)
        yield client


def ports_of(client: Client) -> list[str]:
    """HOST:PORT of the scheduler, of the workers and of the nannies."""
    known = client.scheduler_info(n_workers=-1)["workers"]
    places = [client.scheduler.address, *known, *(told["nanny"] for told in known.values())]
    assert len(places) == 5
    return [place.partition("://")[2] for place in places]


@pytest.mark.parametrize("stranger", STRANGERS)
def test_strangers_have_nothing_run(workers: Client, stranger: str, tmp_path: Path) -> None:
    protocol, arguments = STRANGERS[stranger]
    for place in ports_of(workers):
        with pytest.raises((OSError, asyncio.TimeoutError)):
            run_there(f"{protocol}://{place}", arguments(), tmp_path / "made")
    assert not list(tmp_path.iterdir())
    assert workers.submit(int, "7").result() == 7


def test_a_port_without_keys_runs_what_it_is_sent(tmp_path: Path) -> None:
    """What the test above would find if the ports were open."""
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0"
    ) as cluster:
        run_there(cluster.workers[0].address, IN_PLAIN, tmp_path / "made")
    assert (tmp_path / "made").is_dir()


def test_all_ports_are_seen_from_here_alone(workers: Client) -> None:
    open_here = listening_addresses()
    assert {int(place.rpartition(":")[2]) for place in ports_of(workers)} <= {
        p for _, p in open_here
    }
    assert [host for host, _ in open_here if not ip_address(host).is_loopback] == []


def test_one_process_opens_no_port_to_others() -> None:
    with connect(None, 0, 1):
        assert [host for host, _ in listening_addresses() if not ip_address(host).is_loopback] == []


def test_dask_serves_no_pages(workers: Client) -> None:
    port = workers.cluster.scheduler.http_server.port
    for page in ("", "status", "info/main/workers.html", "api/v1", "json/counts.json", "health"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5)


def test_workers_import_no_library_of_pages(workers: Client) -> None:
    """Bokeh, where it is installed, would take each new worker seconds."""
    assert set(workers.run(imported, "bokeh").values()) == {False}


def imported(name: str) -> bool:
    return name in sys.modules


def test_an_address_is_enough_while_the_keys_are_configured() -> None:
    with LocalCluster(
        n_workers=1, processes=False, security=True, dashboard_address="127.0.0.1:0"
    ) as cluster:
        with cluster_address(cluster) as address:
            assert address.startswith("tls://127.0.0.1:")
            with connect(address, 0, None) as client:
                assert client.submit(int, "7").result() == 7
        assert dask.config.get("distributed.comm.tls.client.key") is None
        with pytest.raises(
            OptionError, match=r"needs certificates; .*comm\.tls\.ca-file is missing"
        ):
            connect(address, 0, None).__enter__()


def test_workers_that_do_not_come_up_are_refused() -> None:
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        pytest.raises(OptionError, match=r"not all of 2 workers came up in 0\.005 minutes"),
        cluster_address(cluster, 2, wait_s=0.3),
    ):
        raise AssertionError("there is one")


def keys_in(folder: Path) -> dict[str, str]:
    """Dask settings that name the files of new keys."""
    folder.mkdir()
    keys = Security.temporary()
    parts = {
        "ca-file": keys.tls_ca_file,
        "client.cert": keys.tls_client_cert,
        "client.key": keys.tls_client_key,
    }
    for name, text in parts.items():
        (folder / name).write_text(text)
    return {f"distributed.comm.tls.{name}": str(folder / name) for name in parts}


def test_what_is_wrong_with_keys_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geochange.cluster.dask_jobs.CONNECT_S", 2)
    settings = keys_in(tmp_path / "mine")
    with LocalCluster(
        n_workers=0, processes=False, security=True, dashboard_address="127.0.0.1:0"
    ) as cluster:
        address = cluster.scheduler_address

        def refused() -> str:
            with pytest.raises(OptionError) as caught, connect(address, 0, None):
                raise AssertionError("connected")
            assert "\n" not in str(caught.value)
            return str(caught.value)

        with dask.config.set(settings):
            assert "TLS fails (" in refused() and "certificates of one authority" in refused()
            (tmp_path / "mine" / "client.key").unlink()
            assert f"{tmp_path}/mine/client.key: no such file; correct distributed" in refused()
            (tmp_path / "mine" / "client.key").write_text("no key")
            assert "TLS fails (" in refused()
        security = cluster.security
        right = {
            "distributed.comm.tls.ca-file": security.tls_ca_file,
            # Key and certificate in one file.
            "distributed.comm.tls.client.cert": security.tls_client_cert + security.tls_client_key,
        }
        with dask.config.set(right):
            assert "has no workers; start one with `dask worker tls://" in refused()
            address = address.replace("tls://", "tcp://")
            assert "tls://host:8786 of one with TLS" in refused()
