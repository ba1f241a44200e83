"""Scheduler, workers and the run on machines of their own, with TLS; links and machines fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from distributed.security import Security
from held_model import NAME, begun, write_held
from machines import Machine, Program, linked_machines
from slow_runs import assert_same, write_inputs
from waiting import wait_until

import geochange

pytestmark = pytest.mark.slow

PORT = 8786
NO_PAGE = "--no-dashboard", "--dashboard-address", "127.0.0.1:0"
PLAN = {"tile": 64, "overlap": 16, "block": 2}


@pytest.fixture(scope="module")
def linked() -> Iterator[list[Machine]]:
    with linked_machines(4) as made:
        yield made


@pytest.fixture
def machines(linked: list[Machine]) -> Iterator[list[Machine]]:
    """One for the scheduler, two for workers, and one for the run. Nothing runs on them."""
    yield linked
    for machine in linked:
        machine.stop()


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


def scheduler_on(machine: Machine, folder: Path, settings: Mapping[str, str]) -> Program:
    """A scheduler that is up."""
    words = "distributed.cli.dask_scheduler", "--host", address_of(machine), *NO_PAGE
    program = machine.start(folder / "scheduler.log", settings, *words)
    program.wait_for("Scheduler at:")
    return program


def address_of(machine: Machine) -> str:
    return f"tls://{machine.ip}:{PORT}"


def worker_on(
    machine: Machine, scheduler: Machine, folder: Path, settings: Mapping[str, str], *more: str
) -> Program:
    """A worker that is registered, with one thread."""
    own = "--host", f"tls://{machine.ip}", "--nthreads", "1", "--no-nanny", *NO_PAGE, *more
    log = folder / f"{settings.get('HELD_AS', machine.name)}.log"
    words = "distributed.cli.dask_worker", address_of(scheduler), *own
    program = machine.start(log, settings, *words)
    program.wait_for("Registered to:")
    return program


REFUSED = """
import sys
from geochange.errors import OptionError
from geochange.cluster import dask_jobs
dask_jobs.CONNECT_S = 2
for address in sys.argv[1:]:
    try:
        with dask_jobs.connect(address, 0, None):
            print("connected")
    except OptionError as error:
        print(error)
"""
"""A module that prints in a line how a scheduler answers to each address."""

OTHER_VERSION = """
import sys
from pathlib import Path
site = Path(__file__).parent / "site" / "torch-2.6.0.dist-info"
site.mkdir(parents=True, exist_ok=True)
(site / "METADATA").write_text("Metadata-Version: 2.1\\nName: torch\\nVersion: 2.6.0\\n")
sys.path.insert(0, str(site.parent))
"""
"""A module that makes Python see another version of torch."""


def run_on(machine: Machine, log: Path, settings: Mapping[str, str], *words: str) -> Program:
    """`geochange run` of a pair on a machine."""
    return machine.start(log, settings, "geochange", "run", *words, "--quiet")


def test_keys_open_the_scheduler_of_another_machine_and_nothing_else_does(
    machines: list[Machine], pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    hub, first, second, here = machines
    keys, others = keys_in(tmp_path / "keys"), keys_in(tmp_path / "others")
    alone = geochange.detect(*pair_paths, tmp_path / "alone.gpkg", tile=32, overlap=8, model="cva")
    address, shared = address_of(hub), tmp_path / "shared.gpkg"
    words = [*map(str, pair_paths), "--out", str(shared), "--model", "cva", "--tile", "32"]
    words += ["--overlap", "8", "--scheduler", address]
    scheduler_on(hub, tmp_path, keys)
    worker_on(first, hub, tmp_path, keys)
    assert run_on(here, tmp_path / "run.log", keys, *words).end() == (0, "")
    assert shared.with_suffix(".tif").read_bytes() == alone.raster.read_bytes()

    (tmp_path / "refused.py").write_text(REFUSED)
    plain = address.replace("tls://", "tcp://")  # where keys play no part
    stranger = {**others, "PYTHONPATH": str(tmp_path)}
    asked = here.start(tmp_path / "refused.log", stranger, "refused", address, plain)
    answers = asked.end()[1].splitlines()
    assert "TLS fails (" in answers[0] and "does not answer; start one" in answers[1]

    (tmp_path / "other.py").write_text(OTHER_VERSION)
    worker_on(second, hub, tmp_path, keys, "--preload", str(tmp_path / "other.py"))
    code, said = run_on(here, tmp_path / "run.log", keys, *words, "--overwrite").end()
    assert (code, said.count("\n")) == (2, 1)
    assert f"worker tls://{second.ip}:" in said
    assert " has torch 2.6.0, and this process has torch " in said


def test_links_workers_and_the_scheduler_fail_and_no_bit_changes(
    machines: list[Machine], tmp_path: Path
) -> None:
    hub, first, second, here = machines
    write_held(write_inputs(tmp_path, 256))
    settings = {**keys_in(tmp_path / "keys"), "HELD": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    settings["DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP"] = "11s"  # the least that Dask takes

    def worker(name: str, machine: Machine) -> Program:
        return worker_on(machine, hub, tmp_path, {**settings, "HELD_AS": name}, "--name", name)

    words = [str(tmp_path / "before.tif"), str(tmp_path / "after.tif"), "--scheduler"]
    words += [address_of(hub), "--model", NAME, "--min-area", "0", "--skip-checks"]
    words += [word for name, value in PLAN.items() for word in (f"--{name}", str(value))]
    words += ["--out", str(tmp_path / "changes.gpkg")]
    scheduler = scheduler_on(hub, tmp_path, settings)
    one, two = worker("1", first), worker("2", second)
    alone = run_on(
        here, tmp_path / "alone.log", settings, *words[:-1], str(tmp_path / "alone.gpkg")
    )
    assert alone.end() == (0, "")

    for name in begun(tmp_path):
        (tmp_path / "begun" / name).unlink()
    (tmp_path / "hold").touch()
    run = run_on(here, tmp_path / "run.log", settings, *words)
    wait_until(lambda: begun(tmp_path).keys() == {"1", "2"})
    first.link("down")
    scheduler.wait_for("Remove worker")  # for Dask it is lost
    first.link("up")
    (tmp_path / "free-1").touch()  # Dask waits half a minute for what a worker computes
    assert one.end()[0] == 0
    again = worker("3", first)
    wait_until(lambda: "3" in begun(tmp_path))
    two.kill()
    scheduler.kill()
    code, said = run.end()
    assert (code, said.count("\n")) == (1, 1)
    assert "the connection to the scheduler is lost" in said and "the same command again" in said
    (tmp_path / "free-3").touch()
    assert again.end()[0] == 0

    (tmp_path / "hold").unlink()
    scheduler_on(hub, tmp_path, settings)
    worker("4", second)
    assert run_on(here, tmp_path / "run.log", settings, *words).end() == (0, "")
    assert_same(tmp_path / "changes.gpkg", tmp_path / "alone.gpkg")
