"""Runs whose inputs, work and outputs are in a bucket give what runs on a disk give."""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import obstore
import pytest
from dask_workers import scheduler_with_workers
from forked import ForkedCommand
from makers import make_raster, noise
from s3_server import KEY, SECRET, Call, S3Server, s3_server

from geochange.config import RunOptions
from geochange.errors import GeochangeError, MissingDependencyError, OutputError, RunError
from geochange.grid.tiling import TilePlan
from geochange.running.plan.plan_run import plan_run
from geochange.running.tasks import jobs
from geochange.storage import object_client
from geochange.storage.object_client import client_of
from geochange.workflows.detect import Result, detect
from geochange.workflows.dry_run import estimate_run
from geochange.workflows.preflight import check_run

pytestmark = pytest.mark.slow

SIZE = 212
PLAN = TilePlan((SIZE, SIZE), tile_px=64, overlap_px=16, block_tiles=2)
BLOCKS, OUTPUTS_OF_PLAN = len(list(PLAN.blocks())), PLAN.outputs[0] * PLAN.outputs[1]
OPTIONS: dict[str, Any] = {
    **{"model": "cva", "tile": 64, "overlap": 16, "block": 2, "threads": 2, "device": "cpu"},
    **{"min_area": 0, "skip_checks": True, "report": "json"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server("bucket") as running:
        yield running


@pytest.fixture(scope="module")
def scene(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """before.tif and after.tif on the disk, and in the bucket below `in`; `local.gpkg` of a run."""
    folder = tmp_path_factory.mktemp("scene")
    before = noise((SIZE, SIZE)) // 4
    after = before.copy()
    after[17:61, 25:175] += 120
    after[125:180, 40:208] += 90
    for name, pixels in (("before.tif", before), ("after.tif", after)):
        tiled = {"tiled": True, "blockxsize": 64, "blockysize": 64}
        make_raster(folder / name, pixels, **tiled)
        obstore.put(client_of("s3://bucket/in"), name, folder / name)
    detect(folder / "before.tif", folder / "after.tif", folder / "local.gpkg", **OPTIONS)
    return folder


def run(place: str, **options: Any) -> Result:
    """A run with inputs, work and outputs in the bucket."""
    given = {"work": f"s3://bucket/{place}/work", **OPTIONS, **options}
    out = f"s3://bucket/{place}/out/changes.gpkg"
    return detect("s3://bucket/in/before.tif", "s3://bucket/in/after.tif", out, **given)


def names_below(place: str) -> list[str]:
    found = obstore.list(client_of(f"s3://bucket/{place}")).collect()
    return sorted(str(one["path"]) for one in found)


OUTPUTS = ["changes.gpkg", "changes.json", "changes.stac.json", "changes.tif"]


def assert_as_local(place: str, scene: Path, folder: Path) -> None:
    """The outputs in the bucket have the bits of the local run."""
    assert names_below(f"{place}/out") == OUTPUTS
    for name in OUTPUTS:
        data = bytes(obstore.get(client_of(f"s3://bucket/{place}/out"), name).bytes())
        (folder / name).write_bytes(data)
    assert (folder / "changes.tif").read_bytes() == (scene / "local.tif").read_bytes()
    mine, local = (
        gpd.read_file(path, layer="changes")
        for path in (folder / "changes.gpkg", scene / "local.gpkg")
    )
    assert len(local) > 1 and mine.equals(local)


def test_a_run_in_a_bucket_has_the_bits_of_a_local_one(
    server: S3Server, scene: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.calls.clear()
    caplog.set_level(logging.DEBUG)
    result = run("plain")
    assert result.out == "s3://bucket/plain/out/changes.gpkg" and not result.resumed
    assert_requests_are_few(server)
    assert_as_local("plain", scene, tmp_path)
    assert names_below("plain/work") == []
    for name in OUTPUTS:
        data = (tmp_path / name).read_bytes()
        assert KEY.encode() not in data and SECRET.encode() not in data
    assert KEY not in caplog.text and SECRET not in caplog.text
    # It may replace its own outputs, as on a disk.
    pair = "s3://bucket/in/before.tif", "s3://bucket/in/after.tif"
    options = RunOptions.parse({"work": "s3://bucket/plain/work", **OPTIONS})
    again = check_run(*pair, str(result.out), options)
    assert again.upload is not None and sorted(again.upload.found) == OUTPUTS


def assert_requests_are_few(server: S3Server) -> None:
    """Requests are bounded by the number of blocks, output blocks and tiles of the inputs.

    A block of 2 x 2 tiles has two chunks of logits. An output block gathers from two blocks along each
    axis at most, so from six chunks.
    """
    blocks, outputs, tiles = BLOCKS, OUTPUTS_OF_PLAN, 2 * 4**2
    work, out, read = (server.count(part) for part in ("/plain/work", "/plain/out", "/in/"))
    start = 6
    assert work["PUT"] <= blocks * (2 + 1) + outputs + start
    assert work["GET"] <= outputs * 6 + outputs + blocks
    assert work["HEAD"] <= blocks * 2 + outputs
    assert out == {"HEAD": 3 * len(OUTPUTS), "PUT": len(OUTPUTS) + 1}
    # Neighbouring blocks share tiles, and two threads have a cache of their own each.
    assert read["GET"] <= 4 * tiles + 2 * 4 and read["HEAD"] <= 2 * 2 * 3
    # Logits are released block by block, all of a block in one request.
    assert server.count()["POST"] <= blocks + 4 and server.count()["LIST"] <= 6


def test_credentials_are_in_no_task(server: S3Server, scene: Path) -> None:
    pair = "s3://bucket/in/before.tif", "s3://bucket/in/after.tif"
    options = RunOptions.parse({"work": "s3://bucket/graph/work", **OPTIONS})
    work = plan_run(check_run(*pair, "s3://bucket/graph/out/a.gpkg", options))
    graph = pickle.dumps(list(jobs(work)))
    assert KEY.encode() not in graph and SECRET.encode() not in graph
    # Workers on other machines find everything.
    assert str(scene).encode() not in graph and b"geochange-out" not in graph


def of_run(call: Call) -> bool:
    return "/in/" not in call.path


@dataclass
class Trouble:
    """Faults of half of the requests of a run, in turn for each kind of request."""

    seen: Counter[str] = field(default_factory=Counter)

    def __call__(self, call: Call) -> str | None:
        if not of_run(call):
            return None
        self.seen[call.kind] += 1
        other = {"PUT": "cut", "GET": "half"}.get(call.kind, "broken")
        late = "late" if self.seen[call.kind] % 5 == 0 else None
        return (None, other, late, "slow down")[self.seen[call.kind] % 4]


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    backoff = {"init_backoff": timedelta(milliseconds=5), "max_backoff": timedelta(milliseconds=20)}
    monkeypatch.setitem(object_client.RETRIES, "backoff", {**backoff, "base": 2})


@pytest.mark.usefixtures("quick_retries")
def test_trouble_costs_retries_and_no_bit(server: S3Server, scene: Path, tmp_path: Path) -> None:
    trouble, of_inputs = Trouble(), iter(["slow down", "broken", "cut"])

    def fault(call: Call) -> str | None:
        if of_run(call):
            return trouble(call)
        trouble.seen["inputs"] += 1
        return next(of_inputs, None) if trouble.seen["inputs"] % 3 == 0 else None

    server.faults.clear()
    server.calls.clear()
    with server.failing(fault):
        run("trouble")
    assert next(of_inputs, None) is None
    assert min(server.faults[what] for what in ("slow down", "broken", "cut", "half", "late")) > 3
    assert_as_local("trouble", scene, tmp_path)


@pytest.mark.usefixtures("quick_retries")
def test_a_run_that_a_server_ends_goes_on_where_it_was(
    server: S3Server, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(object_client.RETRIES, "max_retries", 1)
    server.calls.clear()

    def stored(call: Call) -> bool:
        return call.kind == "PUT" and "/logits.zarr/c/" in call.path

    def fault(call: Call) -> str | None:
        done = sum(map(stored, server.calls))
        return "broken" if done > BLOCKS and of_run(call) else None

    with server.failing(fault), pytest.raises(RunError, match="does not answer as it should"):
        run("ended")
    assert names_below("ended/out") == []
    server.calls.clear()
    assert run("ended", keep_work=True).resumed
    assert 0 < sum(map(stored, server.calls)) < 2 * BLOCKS
    assert_as_local("ended", scene, tmp_path)
    # Nothing is computed again from work that was kept, but for a chunk that somebody changed.
    work = client_of("s3://bucket/ended/work")
    chunks = [str(one["path"]) for one in obstore.list(work).collect()]
    chosen = next(name for name in chunks if "/probability.zarr/c/1/1" in name)
    obstore.put(work, chosen, bytes(obstore.get(work, chosen).bytes())[::-1])
    server.calls.clear()
    assert run("ended").resumed
    assert sum(map(stored, server.calls)) == 0
    assert [call.path.rpartition("/work/")[2] for call in server.calls if is_chunk(call)] == [
        chosen
    ]
    assert_as_local("ended", scene, tmp_path)
    assert names_below("ended/work") == []


def is_chunk(call: Call) -> bool:
    return call.kind == "PUT" and "/probability.zarr/c/" in call.path


def command(folder: Path, *words: str) -> ForkedCommand:
    """`geochange run` on the pair in the bucket, with the options of `run`."""
    options = (f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items())
    flags = ["--skip-checks" if "skip-checks" in option else option for option in options]
    pair = "s3://bucket/in/before.tif", "s3://bucket/in/after.tif"
    return ForkedCommand(["run", *pair, *flags, *words], folder, dict(os.environ))


def test_a_killed_run_goes_on_by_the_same_command(
    server: S3Server, scene: Path, tmp_path: Path
) -> None:
    words = ("--out=s3://bucket/killed/out/changes.gpkg", "--work=s3://bucket/killed/work")
    stored: list[str] = []

    def fault(call: Call) -> str | None:
        if call.kind == "PUT" and "/logits.zarr/c/" in call.path:
            stored.append(call.path)
            if len(stored) == BLOCKS:
                running.kill()
                return "cut"
        return None

    (tmp_path / "run").mkdir()
    running = command(tmp_path / "run", *words)
    with server.failing(fault):
        assert running.wait() == -9
    assert "changes.gpkg.work/lock.json" in names_below("killed/work")
    assert names_below("killed/out") == []
    server.calls.clear()
    code, said = command(tmp_path / "run", *words).end()
    assert code == 0, said
    again = [call for call in server.calls if call.kind == "PUT" and "/logits.zarr/c/" in call.path]
    assert 0 < len(again) < 2 * BLOCKS
    assert_as_local("killed", scene, tmp_path)
    assert names_below("killed/work") == [] and list((tmp_path / "run").iterdir()) == []


def test_a_refusal_is_a_line_and_exit_code_2(server: S3Server, scene: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    code, said = command(tmp_path / "run", "--out=s3://bucket/r/out/changes.gpkg").end()
    assert code == 2 and said.count("\n") == 1 and "add --work FOLDER or --work URL" in said


def test_the_work_may_be_in_another_folder(server: S3Server, scene: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "out").mkdir()
    given = {"work": str(tmp_path / "work"), "keep_work": True, **OPTIONS}
    pair = scene / "before.tif", scene / "after.tif"
    first = detect(*pair, tmp_path / "out" / "a.gpkg", **given)
    assert not first.resumed
    assert (tmp_path / "work" / ".a.gpkg.work" / "fingerprint.json").is_file()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("a.gpkg", "a.json", "a.stac.json", "a.tif")
    ]
    given["keep_work"] = False
    # The same folder serves another output of that name, on the way to a bucket.
    second = detect(*pair, "s3://bucket/folder/out/a.gpkg", **given)
    assert second.resumed and list((tmp_path / "work").iterdir()) == []
    assert (
        bytes(obstore.get(client_of("s3://bucket/folder/out"), "a.tif").bytes())
        == (scene / "local.tif").read_bytes()
    )


def test_a_dry_run_leaves_nothing(server: S3Server, scene: Path) -> None:
    pair = "s3://bucket/in/before.tif", "s3://bucket/in/after.tif"
    options = RunOptions.parse({"work": "s3://bucket/dry/work", **OPTIONS})
    plan = estimate_run(check_run(*pair, "s3://bucket/dry/out/a.gpkg", options))
    assert plan.blocks == BLOCKS and 0 < plan.disk_bytes < 2 * SIZE**2
    assert names_below("dry") == []


def test_workers_that_share_no_folder_give_the_bits_of_a_local_run(
    server: S3Server, scene: Path, tmp_path: Path
) -> None:
    with scheduler_with_workers(tmp_path, 2) as address:
        run("workers", scheduler=address)
    assert_as_local("workers", scene, tmp_path)
    assert not [*tmp_path.rglob("*.zarr"), *tmp_path.rglob("*.work")]


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    # name: options, --out, what is said
    "no work": ({"work": None}, "s3://bucket/r/a.gpkg", "add --work FOLDER or --work URL"),
    "no bucket": ({"work": "s3://nobucket/w"}, "a.gpkg", "there is no such bucket; create it"),
    "no bucket for outputs": ({}, "s3://nobucket/r/a.gpkg", "there is no such bucket; create it"),
    "a web server": ({"work": "https://me:pw@x.org/w"}, "a.gpkg", "no object storage; give an"),
    "a password": ({"work": "s3://me:pw@bucket/w"}, "a.gpkg", "credentials in the environment"),
    "a signature": ({"work": "az://c/w?sig=pw"}, "a.gpkg", "credentials in the environment"),
    "no folder": ({"work": "nowhere/at/all"}, "a.gpkg", "there is no such folder; make it"),
    "no name": ({}, "s3://bucket", "write it as s3://BUCKET/FOLDER/NAME"),
    "no format": ({}, "s3://bucket/r/a.txt", ".gpkg"),
    "foreign outputs": ({}, "s3://bucket/foreign/a.gpkg", "was not put there by geochange"),
    "foreign work": ({"work": "s3://bucket/foreign"}, "a.gpkg", "was not made by geochange"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_is_refused_in_a_line_and_leaves_nothing(
    name: str, server: S3Server, scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options, out, said = REFUSALS[name]
    for key in ("a.gpkg.work/thesis.txt", "a.tif"):
        obstore.put(client_of("s3://bucket/foreign"), key, b"years of work")
    before = names_below("")
    given = {"work": "s3://bucket/r/work", **OPTIONS, **options}
    with pytest.raises(GeochangeError, match=said) as caught:
        detect(scene / "before.tif", scene / "after.tif", out, **given)
    assert "\n" not in str(caught.value) and "pw" not in str(caught.value)
    assert not isinstance(caught.value, RunError)
    assert names_below("") == before and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("denied", ["/rights/work", "/rights/out"])
def test_missing_rights_are_refused_in_a_line(denied: str, server: S3Server, scene: Path) -> None:
    def fault(call: Call) -> str | None:
        return "denied" if denied in call.path and call.kind == "PUT" else None

    with (
        server.failing(fault),
        pytest.raises(OutputError, match="access is denied; check the") as e,
    ):
        run("rights")
    assert "\n" not in str(e.value) and KEY not in str(e.value)
    assert names_below("rights") == []


def test_missing_credentials_are_refused_in_a_line(
    server: S3Server, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setitem(object_client.RETRIES, "max_retries", 0)
    with pytest.raises(OutputError, match="no credentials; set them in the environment"):
        detect(
            *(scene / n for n in ("before.tif", "after.tif")), scene / "no.gpkg", work="s3://c/w"
        )


def test_a_missing_package_is_refused_in_a_line(
    server: S3Server, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'geochange\[cloud\]'"):
        detect(scene / "before.tif", scene / "after.tif", scene / "no.gpkg", work="s3://bucket/w")
