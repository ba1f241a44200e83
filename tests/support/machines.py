"""Simulated machines: network namespaces on one switch, each with its own loopback."""

from __future__ import annotations

import ctypes
import os
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from forked import server

CLONE_NEWNET = 0x40000000
UP_S = 120


class Program:
    """A program on a machine. log: the file with its output."""

    def __init__(
        self, machine: str, log: Path, words: tuple[str, ...], settings: Mapping[str, str]
    ) -> None:
        self.log = log
        given = (machine, log, words, {**os.environ, **settings})
        self.process = server().Process(target=_serve, args=given, daemon=True)
        self.process.start()

    def wait_for(self, said: str) -> None:
        """Wait until its output contains some words."""
        deadline = time.monotonic() + UP_S
        while said not in (log := self.log.read_text() if self.log.exists() else ""):
            assert self.process.exitcode is None and time.monotonic() < deadline, log
            time.sleep(0.05)

    def end(self) -> tuple[int, str]:
        """Wait for its end. Returns the exit code and the output."""
        self.process.join(UP_S)
        assert self.process.exitcode is not None, f"it does not end: {self.log.read_text()}"
        return self.process.exitcode, self.log.read_text()

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        self.process.kill()
        self.process.join()


@dataclass(frozen=True)
class Machine:
    """A network namespace. ip: its address on the switch. programs: those that were started."""

    name: str
    ip: str
    programs: list[Program] = field(default_factory=list)

    def start(self, log: Path, settings: Mapping[str, str], *words: str) -> Program:
        """Start a module of Python with its arguments. settings: environment variables."""
        self.programs.append(Program(self.name, log, words, settings))
        return self.programs[-1]

    def stop(self) -> None:
        """Kill what runs on it, and set its link up."""
        for program in self.programs:
            program.kill()
        self.programs.clear()
        self.link("up")

    def link(self, state: str) -> None:
        """Set the link to the switch up or down."""
        _ip("-n", self.name, "link", "set", "cable", state)


def _serve(machine: str, log: Path, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
    with open(f"/run/netns/{machine}") as namespace:
        assert ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET) == 0
    os.environ.clear()
    os.environ.update(environment)
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, closefd=False) for n in (1, 2))
    if paths := environment.get("PYTHONPATH"):
        sys.path[:0] = paths.split(os.pathsep)
    import dask

    dask.config.refresh()  # it was read before the environment was set
    sys.argv = list(words)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextmanager
def linked_machines(count: int) -> Iterator[list[Machine]]:
    """Machines that reach only each other. The test is skipped if they cannot be created."""
    if shutil.which("ip") is None:
        pytest.skip("needs `ip` (Debian: iproute2), which makes network namespaces")
    if os.geteuid() != 0:
        pytest.skip("needs root, who alone may make network namespaces")
    switch = f"gc{os.getpid()}"
    machines = [Machine(f"{switch}-{n}", f"10.213.7.{n}") for n in range(1, count + 1)]
    try:
        _ip("netns", "add", switch)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not allowed here: {error.stderr.strip()}")
    try:
        _ip("-n", switch, "link", "add", "switch", "type", "bridge")
        _ip("-n", switch, "link", "set", "switch", "up")
        for machine in machines:
            _ip("netns", "add", machine.name)
            _connect(machine, switch)
        yield machines
    finally:
        for name in (switch, *(machine.name for machine in machines)):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _connect(machine: Machine, switch: str) -> None:
    inside, port = ("-n", machine.name), f"port{machine.ip.rpartition('.')[2]}"
    peer = ("type", "veth", "peer", "name", port, "netns", switch)
    _ip("link", "add", "cable", "netns", machine.name, *peer)
    _ip("-n", switch, "link", "set", port, "master", "switch", "up")
    _ip(*inside, "addr", "add", f"{machine.ip}/24", "dev", "cable")
    machine.link("up")
    _ip(*inside, "link", "set", "lo", "up")
