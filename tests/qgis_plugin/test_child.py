"""A command as a child: its lines, its end when the user asks for it, and what cannot be started."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from geochange_plugin.command.child import output_of, run
from geochange_plugin.command.errors import CanceledError, SetupError

HERE = dict(os.environ)


@pytest.mark.slow
def test_lines_of_both_streams_and_the_code() -> None:
    heard: list[tuple[str, str]] = []
    code = run(
        [
            sys.executable,
            "-c",
            "import sys; print('é'); print('bad', file=sys.stderr); sys.exit(2)",
        ],
        {**HERE, "PYTHONUTF8": "1"},
        lambda *line: heard.append(line),
        lambda: False,
    )
    assert code == 2 and sorted(heard) == [("err", "bad\n"), ("out", "é\n")]


@pytest.mark.slow
def test_much_on_one_stream_blocks_nothing() -> None:
    lines = 0

    def count(stream: str, line: str) -> None:
        nonlocal lines
        lines += 1

    script = "import sys; [print('x' * 200, file=sys.stderr) for _ in range(5000)]"
    assert run([sys.executable, "-c", script], HERE, count, lambda: False) == 0
    assert lines == 5000


ENDS = """
import signal, sys, time
def end(*_):
    print("tidied up", flush=True)
    sys.exit(130)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""
STAYS = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def test_cancel_lets_it_tidy_up() -> None:
    heard: list[str] = []
    with pytest.raises(CanceledError, match="goes on where it was"):
        run(
            [sys.executable, "-c", ENDS],
            HERE,
            lambda _, line: heard.append(line.strip()),
            lambda: "ready" in heard,
        )
    assert heard == ["ready", "tidied up"]


@pytest.mark.slow
def test_what_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    heard: list[str] = []
    note = tmp_path / "worker"
    script = (
        f"import subprocess, sys; w = subprocess.Popen([sys.executable, '-c', {STAYS!r}]); "
        f"open({str(note)!r}, 'w').write(str(w.pid)); w.wait()"
    )
    ignoring = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {script}"
    with pytest.raises(CanceledError):
        run(
            [sys.executable, "-c", ignoring],
            HERE,
            lambda _, line: heard.append(line.strip()),
            lambda: "ready" in heard,
            grace_s=0.2,
        )
    worker = int(note.read_text())
    for _ in range(100):
        if _is_gone(worker):
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker was left behind")


def _is_gone(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_what_cannot_be_started_has_a_cure() -> None:
    with pytest.raises(SetupError, match=r"no/python: cannot be run .* Settings > Options"):
        run(["no/python"], HERE, lambda *_: None, lambda: False)
    with pytest.raises(SetupError, match="Settings > Options > geochange"):
        output_of(["no/python"], HERE)
    with pytest.raises(SetupError, match="No module named no_such"):
        output_of([sys.executable, "-m", "no_such"], HERE)


def test_what_a_failed_check_says_is_in_the_diagnostics() -> None:
    code = (
        "import sys; print('rasterio 1.4'); print('torch is broken', file=sys.stderr); sys.exit(1)"
    )
    said = output_of([sys.executable, "-c", code], HERE, even_failed=True)
    assert said.split("\n") == ["rasterio 1.4", "torch is broken", ""]
