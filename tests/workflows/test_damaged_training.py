"""A training resumes from intact files to the same weights, or is refused."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from chip_folders import make_chips
from file_damage import DAMAGES, copy_afresh
from safetensors import safe_open
from safetensors.torch import save_file

from geochange.config import TrainOptions
from geochange.errors import InputError, OutputError
from geochange.models.weights.checkpoint import read_checkpoint
from geochange.models.weights.resume_state import read_resume_state
from geochange.models.weights.tensor_file import CHECKSUM_KEY
from geochange.workflows.train import train

pytestmark = pytest.mark.slow

SMALL: Mapping[str, Any] = {
    "network": {"variant": "tiny", "start": None},
    "prompts": {"mode": "fixed"},
    "augment": {"size": 64},
    "optim": {"lr": 1e-4, "steps": 3, "warmup_steps": 1, "batch": 2},
    "validation": {"every": 1, "sheet": 0},
    "device": {"threads": 1},
    "log_every": 2,
}
BROKEN = [name for name in DAMAGES if name not in ("lost", "a folder", "a dangling link")]


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> TrainOptions:
    chips = make_chips(tmp_path_factory.mktemp("chips"), {"train": 2, "val": 2})
    return TrainOptions.parse({**SMALL, "data": {"workers": 0, "root": str(chips)}})


@pytest.fixture(scope="module")
def through(options: TrainOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed training."""
    out = tmp_path_factory.mktemp("through")
    train(options, out)
    return out


@pytest.fixture(scope="module")
def stopped(options: TrainOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was stopped in its last step."""
    out = tmp_path_factory.mktemp("stopped")

    def watch(stage: str, done: int, total: int, note: str) -> None:
        if stage == "learn" and done == 3:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        train(options, out, watch=watch)
    return out


def same(one: Path, other: Path) -> bool:
    a, b = ({**read_checkpoint(f).tensors, **read_resume_state(f).tensors} for f in (one, other))
    cards = [read_checkpoint(f).card for f in (one, other)]
    return (
        a.keys() == b.keys()
        and all(torch.equal(a[name], b[name]) for name in a)
        and cards[0].threshold == cards[1].threshold
        and cards[0].metrics == cards[1].metrics
    )


@pytest.mark.parametrize("damage", [*BROKEN, "lost"])
def test_the_best_is_gone_on_from_where_the_last_is_damaged(
    damage: str,
    options: TrainOptions,
    stopped: Path,
    through: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was measured is damaged alike, which is no fault."""
    out = copy_afresh(stopped, tmp_path / "out")
    for name in ("last.safetensors", "metrics.csv"):
        DAMAGES[damage](out / name)
    (out / "metrics.csv").open("ab").write(b"\xff\x00,1\n")
    train(options, out, resume=True)
    assert ("continuing from" in caplog.text) == (damage != "lost")
    for name in ("last.safetensors", "best.safetensors"):
        assert same(out / name, through / name)
    assert (out / "metrics.csv").read_text().splitlines()[-1].startswith("3,")


def test_a_damaged_best_is_refused_and_the_cure_goes_on(
    options: TrainOptions, stopped: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = copy_afresh(stopped, tmp_path / "out")
    DAMAGES["flipped"](out / "best.safetensors")
    there = sorted(path.name for path in out.iterdir())
    with pytest.raises(InputError, match=r"best\.safetensors: .*damaged.*; remove it, and"):
        train(options, out, resume=True)
    assert sorted(path.name for path in out.iterdir()) == there
    (out / "best.safetensors").unlink()
    caplog.set_level(logging.WARNING)
    train(options, out, resume=True)
    assert "only the best of the next steps is kept" in caplog.text
    assert read_resume_state(out / "best.safetensors").facts["calibrated"]


def test_a_best_that_is_lost_at_the_end_is_the_last(
    options: TrainOptions, through: Path, tmp_path: Path
) -> None:
    out = copy_afresh(through, tmp_path / "out")
    (out / "best.safetensors").unlink()
    train(options, out, resume=True)
    assert same(out / "best.safetensors", out / "last.safetensors")


def test_where_nothing_is_intact_the_cure_begins_anew(
    options: TrainOptions, stopped: Path, through: Path, tmp_path: Path
) -> None:
    out = copy_afresh(stopped, tmp_path / "out")
    for name in ("last.safetensors", "best.safetensors"):
        DAMAGES["flipped"](out / name)
    told = r"last\.safetensors: .*; remove .*last\.safetensors and .*best\.safetensors, and"
    with pytest.raises(InputError, match=told):
        train(options, out, resume=True)
    for name in ("last.safetensors", "best.safetensors"):
        (out / name).unlink()
    train(options, out, resume=True)
    assert same(out / "last.safetensors", through / "last.safetensors")


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors"])
def test_a_folder_where_a_checkpoint_goes_is_refused(
    name: str, options: TrainOptions, stopped: Path, tmp_path: Path
) -> None:
    out = copy_afresh(stopped, tmp_path / "out")
    DAMAGES["a folder"](out / name)
    with pytest.raises(
        OutputError, match="is a folder, but a checkpoint is written there; move it away"
    ):
        train(options, out, resume=True)


@pytest.mark.parametrize("name", ["metrics.csv", "tensorboard"])
def test_what_stands_where_measurements_go_is_refused(
    name: str, options: TrainOptions, stopped: Path, tmp_path: Path
) -> None:
    out = copy_afresh(stopped, tmp_path / "out")
    if name == "metrics.csv":
        DAMAGES["a folder"](out / name)
    else:
        (out / name).rename(out / "elsewhere")
        (out / name).write_text("no folder")
    with pytest.raises(OutputError, match=rf"{name}.*: cannot be written .*; move it away"):
        train(options, out, resume=True)


def test_checkpoints_of_version_0_1_0_are_gone_on_from(
    options: TrainOptions, stopped: Path, through: Path, tmp_path: Path
) -> None:
    """They have no checksum."""
    out = copy_afresh(stopped, tmp_path / "out")
    for name in ("last.safetensors", "best.safetensors"):
        with safe_open(out / name, "pt") as file:
            header = {n: text for n, text in file.metadata().items() if n != CHECKSUM_KEY}
            tensors = {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118 - no iterator
        save_file(tensors, out / name, header)
    train(options, out, resume=True)
    assert same(out / "last.safetensors", through / "last.safetensors")
