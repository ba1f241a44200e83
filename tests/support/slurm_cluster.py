"""SLURM on this machine: slurmctld and a slurmd with some CPUs and make-believe GPUs, for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from waiting import wait_until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "scontrol")
UP_S = 60

CONFIGURATION = """
ClusterName=geochange
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=3 RealMemory=900000 Gres=gpu:3 State=UNKNOWN
PartitionName=gpu Nodes={host} Default=YES PriorityTier=1 MaxTime=INFINITE
PartitionName=cpu Nodes={host} PriorityTier=9 MaxTime=INFINITE PreemptMode=OFF
PartitionName=urgent Nodes={host} PriorityTier=9 MaxTime=INFINITE PreemptMode=OFF
"""
"""One node. Jobs of the partition urgent preempt those of gpu. cred_expire: seconds until a requeued
job may start again."""


@dataclass(frozen=True)
class Slurm:
    """A running SLURM. environment: the variables by which its commands find it."""

    environment: dict[str, str]

    def call(self, *words: str) -> str:
        """The output of a command of SLURM."""
        done = subprocess.run(
            words, env=os.environ | self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def submit(self, *words: str) -> str:
        """The id of a new job."""
        return self.call("sbatch", "--parsable", *words)

    def occupy(self, partition: str, cpus: int) -> str:
        """The id of a new job that does nothing until it is cancelled."""
        idle = "--output=/dev/null", "--wrap=sleep 1000"
        return self.submit("-p", partition, f"--ntasks={cpus}", *idle)

    def cancel(self, *jobs: str) -> None:
        """Cancel jobs."""
        self.call("scancel", *jobs)

    def jobs(self, partition: str, state: str) -> set[str]:
        """The ids of the jobs of a partition that are in a state, such as RUNNING."""
        return set(self.call("squeue", "-h", "-p", partition, "-t", state, "-o", "%i").split())

    def details(self, job: str) -> dict[str, str]:
        """What SLURM knows of a job that has not ended long ago, by name."""
        words = self.call("scontrol", "-o", "show", "job", job).split()
        return dict(word.partition("=")[::2] for word in words)


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[Slurm]:
    """A new SLURM with its files in a folder. The test is skipped where none can be had."""
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"needs SLURM (Debian: slurm-wlm munge), which lacks {lacking[0]}")
    if find_spec("dask_jobqueue") is None:
        pytest.skip("needs dask-jobqueue")
    if os.geteuid() != 0:
        pytest.skip("needs root, who starts jobs of SLURM")
    slurm = Slurm({"SLURM_CONF": str(_configure(folder))})
    with ExitStack() as stack:
        keys = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("key-file", "socket")]
        files = [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
        _start(stack, folder, slurm, "munged", "--foreground", "--force", *keys, *files)
        wait_until((folder / "munge.socket").exists, UP_S)
        _start(stack, folder, slurm, "slurmctld", "-D")
        _start(stack, folder, slurm, "slurmd", "-D")
        try:
            wait_until(lambda: _idle(slurm), UP_S)
        except AssertionError:
            pytest.skip(f"SLURM does not start here: {(folder / 'slurmd.log').read_text()[-300:]}")
        try:
            yield slurm
        finally:
            slurm.call("scancel", "--user=root")
            wait_until(lambda: not slurm.call("squeue", "-h"))


def _configure(folder: Path) -> Path:
    for name in ("spool", "state"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(64))
    (folder / "munge.key").chmod(0o600)
    for number in range(3):
        (folder / f"gpu{number}").symlink_to("/dev/null")  # SLURM wants a device
    gpus = f"Name=gpu Flags=nvidia_gpu_env File={folder}/gpu[0-2]\n"
    (folder / "gres.conf").write_text(gpus)
    version = subprocess.run(["slurmd", "-V"], capture_output=True, text=True, check=True).stdout
    if version.split()[-1] >= "23.02":  # it would ask systemd for a control group
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    host, ports = socket.gethostname().partition(".")[0], _free_ports()
    file = folder / "slurm.conf"
    file.write_text(CONFIGURATION.format(host=host, ports=ports, folder=folder))
    return file


def _free_ports() -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _start(stack: ExitStack, folder: Path, slurm: Slurm, *words: str) -> None:
    """Start a daemon, which ends with the stack."""
    with (folder / f"{words[0]}.log").open("w") as log:
        process = subprocess.Popen(
            words, env=os.environ | slurm.environment, stdout=log, stderr=subprocess.STDOUT
        )
    stack.callback(process.wait)
    stack.callback(process.terminate)


def _idle(slurm: Slurm) -> bool:
    done = subprocess.run(
        ["sinfo", "-h", "-o", "%T"],
        env=os.environ | slurm.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(done.stdout.split()) == {"idle"}
