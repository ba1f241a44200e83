"""Versions of packages: refuses workers whose results could differ from those of the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributed import Client

from geochange.errors import OptionError

PACKAGES = ("geochange", "torch", "numpy")
"""The packages that decide the bits of a result, and what a pickled task means."""


def check_versions(client: Client, scheduler: str) -> None:
    """Refuse a cluster with a worker that has other versions than this process.

    A package that only one side has installed is not compared: it may lie on PYTHONPATH there.
    Raises OptionError, which names both versions.
    """
    found: Any = client.get_versions(packages=list(PACKAGES))
    here = _public_versions(found["client"])
    for worker, info in sorted(found["workers"].items()):
        there = _public_versions(info)
        for name in PACKAGES:
            if name in here and name in there and here[name] != there[name]:
                raise OptionError(
                    f"--scheduler {scheduler}: worker {worker} has {name} {there[name]}, and this "
                    f"process has {name} {here[name]}; install the same version on both "
                    "(pip install -c constraints.txt)"
                )


def _public_versions(info: Mapping[str, Any] | None) -> dict[str, str]:
    """Versions by package, without the build: torch 2.14.1+cpu and 2.14.1+cu130 are one version."""
    packages = (info or {}).get("packages", {})
    return {name: packages[name].partition("+")[0] for name in PACKAGES if packages.get(name)}
