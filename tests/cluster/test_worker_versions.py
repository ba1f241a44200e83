"""Workers with other versions are refused in a line that names both versions."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from distributed import Client

from geochange.cluster.worker_versions import PACKAGES, check_versions
from geochange.errors import OptionError

HERE = {"geochange": "0.2.0", "torch": "2.14.1+cpu", "numpy": "2.4.6"}


def check(*workers: dict[str, str | None] | None) -> None:
    """Check workers with these versions, which replace those of the client."""

    def get_versions(packages: list[str]) -> dict[str, Any]:
        assert packages == list(PACKAGES)
        there = {
            f"tls://10.0.0.{number}:1": None if own is None else {"packages": {**HERE, **own}}
            for number, own in enumerate(workers)
        }
        return {"client": {"packages": HERE}, "workers": there, "scheduler": {"packages": {}}}

    check_versions(cast(Client, SimpleNamespace(get_versions=get_versions)), "tls://hub:8786")


def test_equal_versions_pass_whatever_the_build() -> None:
    check({}, {"torch": "2.14.1+cu130"}, {"torch": "2.14.1"})


@pytest.mark.parametrize("name", PACKAGES)
def test_another_version_is_refused_with_both(name: str) -> None:
    here = HERE[name].partition("+")[0]
    said = f"worker tls://10.0.0.1:1 has {name} 1.0, and this process has {name} {here};"
    with pytest.raises(OptionError, match=f"^--scheduler tls://hub:8786: {re.escape(said)}"):
        check({}, {name: "1.0"})


def test_what_is_not_known_is_not_compared() -> None:
    check({"geochange": None}, None)
