"""A scheduler with TLS on one machine, a worker and the run on another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed.security import Security
from two_machines import Machine, two_machines

from geochange import detect

pytestmark = pytest.mark.slow

PORT = 8786
UP_S = 60


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[Machine, Machine]]:
    with two_machines() as pair:
        yield pair


def keys_in(folder: Path) -> dict[str, str]:
    """Environment variables that name the files of new keys, one pair for all roles."""
    folder.mkdir()
    keys = Security.temporary()
    (folder / "ca.pem").write_text(keys.tls_ca_file)
    (folder / "own.pem").write_text(keys.tls_client_cert + keys.tls_client_key)
    tls = "DASK_DISTRIBUTED__COMM__TLS"
    return {
        f"{tls}__CA_FILE": str(folder / "ca.pem"),
        **{
            f"{tls}__{role}__CERT": str(folder / "own.pem")
            for role in ("CLIENT", "SCHEDULER", "WORKER")
        },
    }


@contextmanager
def started(machine: Machine, said: str, keys: dict[str, str], *words: str) -> Iterator[None]:
    """A Dask process on a machine, once its log says that it is ready."""
    command = machine.words(sys.executable, "-m", "distributed.cli." + words[0], *words[1:])
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=os.environ | keys
    ) as process:
        assert process.stderr is not None
        log = ""
        deadline = time.monotonic() + UP_S
        while said not in log:
            line = process.stderr.readline()
            assert line and time.monotonic() < deadline, log
            log += line
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


REFUSED = """
import sys
from geochange.errors import OptionError
from geochange.mosaic import dask_jobs
dask_jobs.CONNECT_S = 2
for address in sys.argv[1:]:
    try:
        with dask_jobs.connect(address, 0, None):
            print("connected")
    except OptionError as error:
        print(error)
"""
"""A program that prints in a line how a scheduler answers to each address."""


def run_on(machine: Machine, keys: dict[str, str], *words: str) -> str:
    """The output of a Python program on a machine."""
    done = subprocess.run(
        machine.words(sys.executable, *words),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | keys,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_keys_open_the_scheduler_of_another_machine_and_nothing_else_does(
    machines: tuple[Machine, Machine], pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    here, there = machines
    keys, others = keys_in(tmp_path / "keys"), keys_in(tmp_path / "others")
    alone = detect(*pair_paths, tmp_path / "alone.gpkg", tile=32, overlap=8, model="cva")
    address, shared = f"tls://{there.ip}:{PORT}", tmp_path / "shared.gpkg"
    scheduler = "dask_scheduler", "--host", address, "--dashboard-address", "127.0.0.1:0"
    worker = "dask_worker", address, "--host", f"tls://{here.ip}", "--nthreads", "2", "--no-nanny"
    words = ["run", *map(str, pair_paths), "--out", str(shared), "--model", "cva", "--tile", "32"]
    words += ["--overlap", "8", "--quiet", "--scheduler", address]
    with (
        started(there, "Scheduler at:", keys, *scheduler),
        started(here, "Registered to:", keys, *worker, "--dashboard-address", "127.0.0.1:0"),
    ):
        run_on(here, keys, "-m", "geochange", *words)
        assert shared.with_suffix(".tif").read_bytes() == alone.raster.read_bytes()
        plain = address.replace("tls://", "tcp://")  # where keys play no part
        answers = run_on(here, others, "-c", REFUSED, address, plain).splitlines()
        assert "TLS fails (" in answers[0] and "does not answer; start one" in answers[1]
