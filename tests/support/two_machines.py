"""Two simulated machines: network namespaces with a link, each with its own loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Machine:
    """A network namespace. ip: its address on the link."""

    name: str
    ip: str

    def words(self, *command: str) -> list[str]:
        """The command that starts `command` there."""
        return ["ip", "netns", "exec", self.name, *command]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Two machines that reach only each other. The test is skipped if they cannot be created."""
    if shutil.which("ip") is None:
        pytest.skip("needs `ip` (Debian: iproute2), which makes network namespaces")
    if os.geteuid() != 0:
        pytest.skip("needs root, who alone may make network namespaces")
    tag = f"gc{os.getpid()}"
    machines = Machine(f"{tag}a", "10.213.7.1"), Machine(f"{tag}b", "10.213.7.2")
    try:
        _ip("netns", "add", machines[0].name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not allowed here: {error.stderr.strip()}")
    try:
        _ip("netns", "add", machines[1].name)
        cable = ("netns", machines[0].name), ("netns", machines[1].name)
        _ip("link", "add", "cable", *cable[0], "type", "veth", "peer", "name", "cable", *cable[1])
        for machine in machines:
            inside = ("-n", machine.name)
            _ip(*inside, "addr", "add", f"{machine.ip}/24", "dev", "cable")
            _ip(*inside, "link", "set", "cable", "up")
            _ip(*inside, "link", "set", "lo", "up")
        yield machines
    finally:
        for machine in machines:
            subprocess.run(["ip", "netns", "del", machine.name], capture_output=True, check=False)
