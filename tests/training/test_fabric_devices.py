"""Devices: checks before any is used, and the process that reports."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from geochange.errors import OptionError
from geochange.training.fabric_devices import FabricDevices, is_first_process

pytestmark = pytest.mark.slow

LAUNCHERS = (
    *("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "SLURM_JOB_NAME", "MASTER_ADDR", "NODE_RANK"),
    *("GROUP_RANK", "RANK", "LOCAL_RANK", "SLURM_PROCID"),
)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)


def test_several_machines_by_hand_are_refused_instead_of_waited_for() -> None:
    for devices in (
        FabricDevices("cpu", 1, nodes=2).world,
        FabricDevices("cpu", 1, nodes=2).fabric,
    ):
        with pytest.raises(OptionError, match=r"device\.nodes 2: .* torchrun or srun"):
            devices()


@pytest.mark.parametrize(
    "told",
    [
        {"TORCHELASTIC_RUN_ID": "x"},
        {"SLURM_NTASKS": "4"},
        {"MASTER_ADDR": "one", "NODE_RANK": "1"},
        {"MASTER_ADDR": "one", "GROUP_RANK": "0"},
    ],
)
def test_a_launcher_says_which_machine_this_is(
    told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert FabricDevices("cpu", 3, nodes=2).world() == 6


@pytest.mark.parametrize(
    "told", [{"MASTER_ADDR": "one"}, {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "bash"}]
)
def test_half_a_launcher_is_none(told: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OptionError, match="torchrun"):
        FabricDevices("cpu", 1, nodes=2).world()


def test_half_precision_of_a_processor_is_refused() -> None:
    with pytest.raises(OptionError, match="float16: needs a GPU"):
        FabricDevices("cpu", 1, precision="float16").world()


def test_nobody_hears_of_precision(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("lightning_fabric").setLevel(logging.INFO)
    with caplog.at_level(logging.INFO):
        FabricDevices("cpu", 1, precision="bfloat16").fabric()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("told", "first"), [({}, True), ({"RANK": "0"}, True), ({"SLURM_PROCID": "3"}, False)]
)
def test_one_process_speaks_for_all(
    told: dict[str, str], first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() is first


def test_one_process_is_not_told_to_use_a_launcher(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\n")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    FabricDevices("cpu", 1).fabric()
    assert not [each for each in recwarn if "srun" in str(each.message)]
