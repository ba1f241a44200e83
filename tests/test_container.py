"""The Dockerfile copies what exists, pins its base, runs as a user and starts geochange."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from contextlib import nullcontext
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import geochange

ROOT = Path(__file__).parents[1]
TARGETS = ("cpu", "cuda")


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage by its name, with the line FROM first."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            name = rest.split(" AS ")[1]
            found[name] = []
        found[name].append((word, " ".join(rest.split())))
    return found


STAGES = stages()


def inherited(stage: str) -> list[tuple[str, str]]:
    """The instructions of a stage, and before them those of the stages below it."""
    base = STAGES[stage][0][1].split(" AS ")[0]
    below = inherited(base) if base in STAGES else []
    return [*below, *STAGES[stage]]


def ignored(path: str) -> bool:
    """Whether .dockerignore leaves a path out. The last rule that fits decides."""
    answer = False
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if rule and not rule.startswith("#") and fnmatch(path, rule.removeprefix("!")):
            answer = not rule.startswith("!")
    return answer


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_geochange_as_a_user_in_a_folder_for_data(target: str) -> None:
    last = dict(inherited(target))
    assert json.loads(last["ENTRYPOINT"]) == ["geochange"]
    assert json.loads(last["CMD"]) == ["--help"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert last["WORKDIR"] == "/data"
    words = [word for word, _ in STAGES[target]]
    assert words.index("USER") > max(n for n, word in enumerate(words) if word in ("COPY", "RUN"))


def test_the_base_is_one_tested_python() -> None:
    outside = {rest.split(" AS ")[0] for (_, rest), *_ in STAGES.values()} - STAGES.keys()
    assert len(outside) == 1
    pinned = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-[a-z]+", outside.pop())
    assert pinned is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {pinned[1]}" in project["classifiers"]


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    copied: list[str] = []
    for name in STAGES:
        for word, rest in STAGES[name]:
            if word == "COPY" and not rest.startswith("--from="):
                copied += rest.split()[:-1]
            if found := re.match(r"--from=(\S+) (\S+)", rest):
                assert any(found[2] in other for _, other in inherited(found[1]))
    assert {"pyproject.toml", "constraints.txt", "geochange"} <= set(copied)
    for path in copied:
        assert (ROOT / path).exists() and not ignored(path), path
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"]} <= set(copied), "the build needs them"


@pytest.mark.parametrize("path", [".git", ".venv", "tests", "before.tif"])
def test_nothing_else_is_sent_to_the_engine(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize("target", TARGETS)
def test_versions_are_the_tested_ones_and_extras_exist(target: str) -> None:
    installs = [rest for _, rest in inherited(f"build-{target}") if rest.startswith("pip install")]
    assert len(installs) == 1 and " -c constraints.txt " in installs[0]
    extras = re.search(r'"\.\[([a-z,]+)\]"', installs[0])
    assert extras is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras[1].split(",")) <= project["optional-dependencies"].keys()


def test_the_script_for_kubernetes_asks_for_pods_of_the_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = (ROOT / "docs" / "several-machines.md").read_text()
    script = re.search(r"<!-- kubernetes -->\n```python\n(.*?)```", page, flags=re.DOTALL)
    assert script is not None
    asked: dict[str, Any] = {}
    module = ModuleType("dask_kubernetes.operator")

    def make_cluster_spec(name: str, **options: Any) -> dict[str, Any]:
        asked.update(options)
        roles = {role: {"spec": {"containers": [{}]}} for role in ("scheduler", "worker")}
        return {"metadata": {"name": name}, "spec": roles}

    def run(*paths: str, scheduler: str) -> None:
        asked.update(paths=paths, scheduler=scheduler)

    vars(module).update(
        make_cluster_spec=make_cluster_spec,
        KubeCluster=lambda custom_cluster_spec: nullcontext(custom_cluster_spec),
    )
    monkeypatch.setitem(sys.modules, "dask_kubernetes", ModuleType("dask_kubernetes"))
    monkeypatch.setitem(sys.modules, "dask_kubernetes.operator", module)
    public = {"detect": run, "cluster_address": lambda *_, wait_s: nullcontext("tcp://hub:8786")}
    for name, function in public.items():
        monkeypatch.setitem(vars(geochange), name, function)
    names: dict[str, Any] = {}
    exec(script[1], names)  # the page is ours
    assert (asked["scheduler"], asked["n_workers"]) == ("tcp://hub:8786", 8)
    pod = names["spec"]["spec"]["worker"]["spec"]
    mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    assert all(path.startswith("/data/") for path in asked["paths"])
