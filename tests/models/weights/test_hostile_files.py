"""Files of weights that claim more than they hold are refused quickly and with little memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_weights import FILES
from limited_process import assert_refused, call_limited, command

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", FILES)
def test_what_a_file_claims_costs_nothing(case: str, tmp_path: Path) -> None:
    name, write = FILES[case]
    write(tmp_path / name)
    outcome = call_limited(command, "weights", "show", str(tmp_path / name), memory_mb=1000)
    told = assert_refused(outcome)
    assert len(told) < 1000
    assert outcome.rise_mb < 700
