"""Recipe: from options to the objects of a training."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning_fabric import Fabric

from geochange.config import TrainOptions
from geochange.errors import OptionError
from geochange.trainer import checkpoint_to_resume
from geochange.trainer.recipe import (
    augmentation_of,
    batch_share_of,
    fabric_devices_of,
    loader_processes,
    network_start_of,
    optimizer_settings_of,
)

pytestmark = pytest.mark.slow


def options(**sections: Any) -> TrainOptions:
    return TrainOptions.parse(sections)


def test_a_batch_is_shared_out() -> None:
    chosen = options(optim={"batch": 12, "micro_batch": 4})
    assert asdict(batch_share_of(chosen, 1, 2)) == {
        "batch": 12,
        "micro_batch": 4,
        "rank": 1,
        "world": 2,
    }
    assert batch_share_of(options(optim={"batch": 12}), 0, 2).micro_batch == 6
    assert batch_share_of(chosen, 0, 6).micro_batch == 2, "never more than its own"


def test_the_rate_rises_and_falls() -> None:
    rate = optimizer_settings_of(
        options(optim={"lr": 1.0, "steps": 100, "warmup_steps": 10, "warmup_factor": 0.1})
    ).rate
    assert rate(0) == pytest.approx(0.1)
    assert rate(9) < rate(10) > rate(50) > rate(99) > 0


def test_a_loss_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match=r"optim\.loss hinge"):
        optimizer_settings_of(options(optim={"loss": "hinge"}))


def test_every_option_of_the_course_arrives() -> None:
    optim = {"betas": (0.5, 0.6), "clip_norm": 2.0, "ema": 0.9}
    course = optimizer_settings_of(options(seed=7, optim=optim, device={"compile": True}))
    assert (course.betas, course.clip_norm, course.ema) == ((0.5, 0.6), 2.0, 0.9)
    assert (course.seed, course.compiled) == (7, True)


def test_every_option_of_augmentation_arrives() -> None:
    given = {name: value / 2 for name, value in TrainOptions().augment if name != "size"}
    made = asdict(augmentation_of(options(augment={**given, "size": 64, "swap": 0.25})))
    assert made.pop("size_px") == 64
    assert (made.pop("mean"), made.pop("std")) == ((), ())
    assert made == {**given, "swap": 0.25}


def test_start_and_devices() -> None:
    network = {"variant": "tiny", "start": None, "dropout": 0.3, "drop_path": 0.4}
    start = network_start_of(options(seed=9, network=network))
    assert (start.variant, start.weights, start.seed) == ("tiny", None, 9)
    assert 0.3 in vars_of(start.regularisation) and 0.4 in vars_of(start.regularisation)
    device = {"accelerator": "cpu", "devices": 3, "precision": "bfloat16", "threads": 2}
    assert asdict(fabric_devices_of(options(device=device))) == {**device, "nodes": 1}


def vars_of(value: Any) -> list[Any]:
    return list(asdict(value).values())


def test_one_process_loads_beside_a_processor_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    assert loader_processes(options(), fabric) == 1
    assert loader_processes(options(data={"workers": 0}), fabric) == 0
    shell = SimpleNamespace(kernel=None)  # of a notebook, whose kernel has threads
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert loader_processes(options(), fabric) == 0
    assert loader_processes(options(data={"workers": 2}), fabric) == 2


def test_a_training_of_an_earlier_version_goes_on_with_the_defaults_of_new_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = TrainOptions().model_dump(mode="json")
    del began["augment"]["speckle"], began["data"]["pixels"]
    monkeypatch.setattr(checkpoint_to_resume, "read_facts", lambda file: {"options": began})
    checkpoint_to_resume.check_same_options(TrainOptions(), Path("last.safetensors"))
    with pytest.raises(OptionError, match=r"begun with augment\.speckle 0\.0, but now it is 0\.5"):
        checkpoint_to_resume.check_same_options(
            options(augment={"speckle": 0.5}), Path("last.safetensors")
        )
