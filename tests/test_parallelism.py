"""The cores and the memory of a container, as Linux tells them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from geochange.parallelism import cgroup_bytes, cgroup_cores, cpu_count


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({}, math.inf, math.inf),
        ({"cpu.max": "max 100000", "memory.max": "max"}, math.inf, math.inf),
        ({"cpu.max": "150000 100000", "memory.max": "1073741824"}, 1.5, 2**30),
        (
            {
                "cpu/cpu.cfs_quota_us": "400000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "4096",
            },
            4,
            4096,
        ),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf, math.inf),
    ],
)
def test_limits_of_a_container(
    files: dict[str, str], cores: float, memory: float, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert cgroup_cores(tmp_path) == cores
    assert cgroup_bytes(tmp_path) == memory


def test_there_is_a_core() -> None:
    assert cpu_count() >= 1
